#include "frontend/training/checkpoint.h"

#include <string>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "frontend/trainer.h"
#include "runtime/safetensors.h"

namespace gradus {
namespace {

using runtime::NamedTensorView;

constexpr std::string_view kFormat = "gradus-checkpoint";
constexpr std::string_view kVersion = "1";
constexpr std::string_view kFit = "gradus/fit/";

std::string CallbackPrefix(size_t index, const Callback& callback) {
  return fmt::format("gradus/callbacks/{}.{}/", index, callback.name());
}

// Whole numbers of a fit, in the file's order.
struct Numbers {
  int64_t samples, batch_size, shuffle, seed, epoch, steps_done, step;
};
using NumberField = std::pair<std::string_view, int64_t Numbers::*>;
constexpr NumberField kNumbers[] = {
    {"samples", &Numbers::samples}, {"batch_size", &Numbers::batch_size},
    {"shuffle", &Numbers::shuffle}, {"seed", &Numbers::seed},
    {"epoch", &Numbers::epoch},     {"steps_done", &Numbers::steps_done},
    {"step", &Numbers::step},
};

absl::Status Refuse(const runtime::Safetensors& file, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", file.name(), what));
}

absl::Status CheckFormat(const runtime::Safetensors& file) {
  const auto metadata = [&](std::string_view key) {
    const auto it = file.metadata().find(key);
    return it == file.metadata().end() ? std::string() : it->second;
  };
  if (metadata("format") != kFormat) {
    return Refuse(file, fmt::format("not a checkpoint: its format is \"{}\", expected \"{}\"\n  "
                                    "help: Trainer::LoadWeights reads weights alone",
                                    metadata("format"), kFormat));
  }
  if (metadata("version") != kVersion) {
    return Refuse(file, fmt::format("a checkpoint of version \"{}\", this program reads \"{}\"",
                                    metadata("version"), kVersion));
  }
  return absl::OkStatus();
}

absl::StatusOr<Numbers> ReadNumbers(const runtime::Safetensors& file) {
  Numbers numbers{};
  for (const auto& [name, member] : kNumbers) {
    auto tensor = file.Load(std::string(kFit) + std::string(name));
    if (!tensor.ok()) return tensor.status();
    if (tensor->dtype() != runtime::DType::kI64 || tensor->rank() != 0) {
      return Refuse(file, fmt::format("{}{}: expected i64[], got {}", kFit, name,
                                      runtime::FormatType(tensor->dtype(), tensor->shape())));
    }
    numbers.*member = tensor->data<int64_t>()[0];
  }
  if (numbers.epoch < 1 || numbers.steps_done < 0 || numbers.step < numbers.steps_done) {
    return Refuse(file, fmt::format("epoch {}, {} steps of it done, {} steps of all: no such place",
                                    numbers.epoch, numbers.steps_done, numbers.step));
  }
  return numbers;
}

absl::Status CheckKey(const runtime::Safetensors& file, const Numbers& n, const FitKey& key) {
  const auto check = [&](std::string_view what, int64_t was, int64_t is) {
    if (was == is) return absl::OkStatus();
    return Refuse(file, fmt::format("made with {} {}, resumed with {}\n  help: a training goes on "
                                    "with the data and options it began with",
                                    what, was, is));
  };
  absl::Status s = check("samples", n.samples, key.samples);
  if (s.ok()) s = check("batch_size", n.batch_size, key.batch_size);
  if (s.ok()) s = check("shuffle", n.shuffle, key.shuffle ? 1 : 0);
  if (s.ok()) s = check("seed", n.seed, static_cast<int64_t>(key.seed));
  return s;
}

// What a file holds for each callback; those that it does not name were not there.
absl::StatusOr<std::vector<CallbackState>> ReadCallbacks(const runtime::Safetensors& file,
                                                         std::span<const AnyCallback> callbacks) {
  std::vector<CallbackState> states(callbacks.size());
  for (const runtime::SafetensorsEntry& entry : file.tensors()) {
    if (!entry.name.starts_with("gradus/callbacks/")) continue;
    size_t index = 0;
    while (index < callbacks.size() &&
           !entry.name.starts_with(CallbackPrefix(index, *callbacks[index]))) {
      ++index;
    }
    if (index == callbacks.size()) {
      return Refuse(file, fmt::format("it holds {}, but there is no such callback\n  help: resume "
                                      "with the callbacks of before, in their order",
                                      entry.name));
    }
    const std::string rest = entry.name.substr(CallbackPrefix(index, *callbacks[index]).size());
    auto tensor = file.Load(entry.name);
    if (!tensor.ok()) return tensor.status();
    if (rest.starts_with("numbers/")) {
      if (tensor->dtype() != runtime::DType::kF64 || tensor->rank() != 0) {
        return Refuse(file, fmt::format("{}: expected f64[], got {}", entry.name,
                                        runtime::FormatType(tensor->dtype(), tensor->shape())));
      }
      states[index].numbers.emplace(rest.substr(8), tensor->data<double>()[0]);
    } else if (rest.starts_with("tensors/")) {
      states[index].tensors.emplace(rest.substr(8), *std::move(tensor));
    }
  }
  return states;
}

}  // namespace

absl::Status WriteCheckpoint(std::string_view path, const Trainer& trainer, const FitKey& key,
                             const FitPosition& position, const History& history,
                             std::span<const AnyCallback> callbacks) {
  std::vector<NamedTensorView> views = trainer.StateViews();
  const Numbers numbers{
      key.samples,    key.batch_size,      key.shuffle ? 1 : 0, static_cast<int64_t>(key.seed),
      position.epoch, position.steps_done, position.step};
  for (const auto& [name, member] : kNumbers) {
    views.push_back({std::string(kFit) + std::string(name),
                     runtime::TensorView(&(numbers.*member), runtime::DType::kI64, {})});
  }
  const std::vector<int64_t> totals_shape = {static_cast<int64_t>(position.totals.size())};
  views.push_back(
      {std::string(kFit) + "totals",
       runtime::TensorView(position.totals.data(), runtime::DType::kF64, totals_shape)});
  std::vector<CallbackState> states;  // what the views point into
  for (const AnyCallback& c : callbacks) {
    auto state = c->SaveState();
    if (!state.ok()) return state.status();
    states.push_back(*std::move(state));
  }
  for (size_t i = 0; i < callbacks.size(); ++i) {
    const std::string prefix = CallbackPrefix(i, *callbacks[i]);
    const auto full_name = [&](std::string_view kind, std::string_view name) {
      return fmt::format("{}{}/{}", prefix, kind, name);
    };
    for (const auto& [name, value] : states[i].numbers) {
      views.push_back(
          {full_name("numbers", name), runtime::TensorView(&value, runtime::DType::kF64, {})});
    }
    for (const auto& [name, tensor] : states[i].tensors) {
      views.push_back({full_name("tensors", name), tensor});
    }
  }
  runtime::SafetensorsMetadata metadata = {{"format", std::string(kFormat)},
                                           {"version", std::string(kVersion)},
                                           {"model", history.model},
                                           {"history", history.ToJson()}};
  for (const auto& [name, text] : trainer.metadata()) metadata.emplace("user." + name, text);
  return runtime::WriteSafetensors(path, views, metadata);
}

absl::StatusOr<ResumedFit> ReadCheckpoint(std::string_view path, Trainer& trainer,
                                          const FitKey& key,
                                          std::span<const AnyCallback> callbacks) {
  const auto file = runtime::Safetensors::Read(path);
  if (!file.ok()) return file.status();
  if (absl::Status s = CheckFormat(*file); !s.ok()) return s;
  const auto numbers = ReadNumbers(*file);
  if (!numbers.ok()) return numbers.status();
  if (absl::Status s = CheckKey(*file, *numbers, key); !s.ok()) return s;
  auto totals = file->Load(std::string(kFit) + "totals");
  if (!totals.ok()) return totals.status();
  if (totals->dtype() != runtime::DType::kF64)
    return Refuse(*file, "gradus/fit/totals: expected f64");
  const auto text = file->metadata().find("history");
  auto history = History::ParseJson(text == file->metadata().end() ? "" : text->second,
                                    fmt::format("{}: history", path));
  if (!history.ok()) return history.status();
  auto states = ReadCallbacks(*file, callbacks);
  if (!states.ok()) return states.status();
  if (absl::Status s = trainer.SetState(*file); !s.ok()) return s;
  for (size_t i = 0; i < callbacks.size(); ++i) {
    if (absl::Status s = callbacks[i]->RestoreState(std::move((*states)[i])); !s.ok()) return s;
  }
  const auto sums = totals->data<double>();
  return ResumedFit{
      {numbers->epoch, numbers->steps_done, numbers->step, {sums.begin(), sums.end()}},
      *std::move(history)};
}

}  // namespace gradus
