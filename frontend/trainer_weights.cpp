// Trainer: weights and the rest of its state, to memory and to files and back.

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "frontend/trainer.h"
#include "frontend/training/divergence.h"
#include "runtime/npy.h"
#include "runtime/safetensors.h"

namespace gradus {
namespace {

using runtime::FormatType;

constexpr std::string_view kOwnPrefix = "gradus/";  // of what is no weight in a checkpoint

// Why a set of tensors does not fit the parameters of a model; nothing if it does.
class Mismatch {
 public:
  void Missing(std::string_view name, const runtime::Tensor& expected) {
    lines_.push_back(
        fmt::format("missing: {} {}", name, FormatType(expected.dtype(), expected.shape())));
  }
  void Extra(std::string_view name) { lines_.push_back(fmt::format("extra: {}", name)); }
  void Differs(std::string_view name, const runtime::Tensor& expected, const runtime::Tensor& got) {
    lines_.push_back(fmt::format("{}: expected {}, got {}", name,
                                 FormatType(expected.dtype(), expected.shape()),
                                 FormatType(got.dtype(), got.shape())));
  }
  absl::Status ToStatus(std::string_view source, std::string_view model) const {
    if (lines_.empty()) return absl::OkStatus();
    constexpr size_t kMaxShown = 12;
    std::string text = fmt::format("{} does not fit model {}", source, model);
    for (size_t i = 0; i < std::min(lines_.size(), kMaxShown); ++i) text += "\n  " + lines_[i];
    if (lines_.size() > kMaxShown)
      text += fmt::format("\n  ... and {} more", lines_.size() - kMaxShown);
    text += "\n  help: weights go by name; allow_missing and allow_extra load what there is";
    return absl::InvalidArgumentError(text);
  }

 private:
  std::vector<std::string> lines_;
};

// In files the user's keys stand behind this, apart from those of the format.
constexpr std::string_view kUserKey = "user.";

runtime::SafetensorsMetadata WithOwn(const runtime::SafetensorsMetadata& user,
                                     runtime::SafetensorsMetadata own) {
  for (const auto& [key, text] : user) own.emplace(std::string(kUserKey) + key, text);
  return own;
}

void TakeMetadata(const runtime::Safetensors& file, runtime::SafetensorsMetadata& user) {
  for (const auto& [key, text] : file.metadata()) {
    if (key.starts_with(kUserKey)) user[key.substr(kUserKey.size())] = text;
  }
}

bool SameType(const runtime::Tensor& a, const runtime::Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape();
}

void CopyInto(runtime::Tensor& to, const runtime::Tensor& from) {
  if (to.raw() != nullptr) std::memcpy(to.raw(), from.raw(), static_cast<size_t>(to.byte_size()));
}

// A file name for a parameter: what a folder could not hold is escaped as in a URL.
std::string NpyName(std::string_view parameter) {
  return absl::StrReplaceAll({parameter.data(), parameter.size()}, {{"%", "%25"}, {"/", "%2F"}}) +
         ".npy";
}

}  // namespace

absl::StatusOr<Weights> Trainer::CloneWeights() const {
  Weights weights;
  for (const NamedTensor& p : parameters_) {
    auto copy = p.tensor.Clone();
    if (!copy.ok()) return copy.status();
    weights.emplace(p.name, *std::move(copy));
  }
  return weights;
}

absl::Status Trainer::SetWeights(const Weights& weights, const LoadOptions& options,
                                 std::string_view source) {
  Mismatch mismatch;
  for (const NamedTensor& p : parameters_) {
    const auto it = weights.find(p.name);
    if (it == weights.end()) {
      if (!options.allow_missing) mismatch.Missing(p.name, p.tensor);
    } else if (!SameType(it->second, p.tensor)) {
      mismatch.Differs(p.name, p.tensor, it->second);
    }
  }
  for (const auto& [name, tensor] : weights) {
    if (!options.allow_extra && Parameter(name) == nullptr) mismatch.Extra(name);
  }
  if (absl::Status s = mismatch.ToStatus(source, model_name_); !s.ok()) return s;
  for (NamedTensor& p : parameters_) {
    if (const auto it = weights.find(p.name); it != weights.end()) CopyInto(p.tensor, it->second);
  }
  return absl::OkStatus();
}

absl::Status Trainer::SaveWeights(std::string_view path) const {
  std::vector<runtime::NamedTensorView> views;
  for (const NamedTensor& p : parameters_) views.push_back({p.name, p.tensor});
  return runtime::WriteSafetensors(
      path, views, WithOwn(metadata_, {{"format", "gradus-weights"}, {"model", model_name_}}));
}

absl::Status Trainer::LoadWeights(std::string_view path, const LoadOptions& options) {
  const auto file = runtime::Safetensors::Read(path);
  if (!file.ok()) return file.status();
  Weights weights;
  for (const runtime::SafetensorsEntry& entry : file->tensors()) {
    const bool wanted = Parameter(entry.name) != nullptr;
    if (!wanted && (options.allow_extra || entry.name.starts_with(kOwnPrefix))) continue;
    auto tensor = file->Load(entry.name);
    if (!tensor.ok()) return tensor.status();
    weights.emplace(entry.name, *std::move(tensor));
  }
  if (absl::Status s = SetWeights(weights, options, path); !s.ok()) return s;
  TakeMetadata(*file, metadata_);
  return absl::OkStatus();
}

void Trainer::SetMetadata(const std::string& key, std::string text) {
  if (text.empty()) {
    metadata_.erase(key);
  } else {
    metadata_[key] = std::move(text);
  }
}

std::string Trainer::Metadata(std::string_view key) const {
  const auto it = metadata_.find(key);
  return it == metadata_.end() ? "" : it->second;
}

absl::Status Trainer::SaveWeightsNpy(std::string_view folder) const {
  for (const NamedTensor& p : parameters_) {
    const std::string path = fmt::format("{}/{}", folder, NpyName(p.name));
    if (absl::Status s = runtime::WriteNpy(path, p.tensor); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status Trainer::LoadWeightsNpy(std::string_view folder, const LoadOptions& options) {
  Weights weights;
  for (const NamedTensor& p : parameters_) {
    auto tensor = runtime::ReadNpy(fmt::format("{}/{}", folder, NpyName(p.name)));
    if (absl::IsNotFound(tensor.status())) continue;
    if (!tensor.ok()) return tensor.status();
    weights.emplace(p.name, *std::move(tensor));
  }
  return SetWeights(weights, options, folder);
}

std::vector<runtime::NamedTensorView> Trainer::StateViews() const {
  std::vector<runtime::NamedTensorView> views;
  for (const NamedTensor& p : parameters_) views.push_back({p.name, p.tensor});
  const std::string own(kOwnPrefix);
  for (const NamedTensor& s : state_) views.push_back({own + "optimizer/" + s.name, s.tensor});
  views.push_back({own + "step", step_});
  views.push_back({own + "seed", seed_});
  views.push_back(
      {own + "learning_rate", runtime::TensorView(&learning_rate_, runtime::DType::kF64, {})});
  return views;
}

std::vector<runtime::Tensor*> Trainer::StateTensors() {
  std::vector<runtime::Tensor*> tensors;
  for (NamedTensor& p : parameters_) tensors.push_back(&p.tensor);
  for (NamedTensor& s : state_) tensors.push_back(&s.tensor);
  tensors.push_back(&step_);
  return tensors;
}

bool Trainer::IsFinite() const {
  for (const std::vector<NamedTensor>* list : {&parameters_, &state_}) {
    for (const NamedTensor& t : *list) {
      if (FirstNonFinite(t.tensor) >= 0) return false;
    }
  }
  return true;
}

absl::Status Trainer::SetState(const runtime::Safetensors& file) {
  // 1. Everything is read and compared before anything changes.
  std::vector<std::pair<runtime::Tensor*, std::string>> wanted;
  for (NamedTensor& p : parameters_) wanted.emplace_back(&p.tensor, p.name);
  const std::string own(kOwnPrefix), optimizer = own + "optimizer/";
  for (NamedTensor& s : state_) wanted.emplace_back(&s.tensor, optimizer + s.name);
  auto rate = runtime::Tensor::Zeros(runtime::DType::kF64, {});
  if (!rate.ok()) return rate.status();
  wanted.emplace_back(&step_, own + "step");
  wanted.emplace_back(&seed_, own + "seed");
  wanted.emplace_back(&*rate, own + "learning_rate");
  Mismatch mismatch;
  std::vector<runtime::Tensor> loaded;
  for (const auto& [tensor, name] : wanted) {
    if (file.Find(name) == nullptr) {
      mismatch.Missing(name, *tensor);
      continue;
    }
    auto one = file.Load(name);
    if (!one.ok()) return one.status();
    if (!SameType(*one, *tensor)) mismatch.Differs(name, *tensor, *one);
    loaded.push_back(*std::move(one));
  }
  for (const runtime::SafetensorsEntry& entry : file.tensors()) {
    if (entry.name.starts_with(kOwnPrefix) && !entry.name.starts_with(optimizer)) continue;
    const bool known =
        std::ranges::any_of(wanted, [&](const auto& w) { return w.second == entry.name; });
    if (!known) mismatch.Extra(entry.name);
  }
  if (absl::Status s = mismatch.ToStatus(file.name(), model_name_); !s.ok()) return s;
  // 2. In place: compiled entries are bound to this memory.
  for (size_t i = 0; i < wanted.size(); ++i) CopyInto(*wanted[i].first, loaded[i]);
  SetLearningRate(rate->data<double>()[0]);
  TakeMetadata(file, metadata_);
  return absl::OkStatus();
}

}  // namespace gradus
