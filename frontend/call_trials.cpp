#include "frontend/call_trials.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "fmt/format.h"

namespace gradus {
namespace {

// Larger arrays are not made for the sake of tuning.
constexpr double kMostBytes = 8e9;

// Numbers from [0.01, 0.03), spread evenly.
template <typename T>
void FillFloats(std::span<T> data) {
  constexpr uint32_t kStep = 2654435761;  // 2^32 by the golden ratio
  uint32_t state = 1;
  for (T& x : data) {
    state += kStep;
    x = static_cast<T>(0.01) +
        static_cast<T>(0.02) * static_cast<T>(state >> 8) * static_cast<T>(0x1p-24);
  }
}

void Fill(runtime::Tensor& tensor) {
  if (tensor.dtype() == runtime::DType::kF32) return FillFloats(tensor.data<float>());
  if (tensor.dtype() == runtime::DType::kF64) return FillFloats(tensor.data<double>());
  if (tensor.raw() != nullptr) {
    std::memset(tensor.raw(), 0, static_cast<size_t>(tensor.byte_size()));
  }
}

absl::StatusOr<runtime::Tensor> Filled(const ir::Type& type, const passes::PassContext& context) {
  std::vector<int64_t> shape;
  auto bytes = static_cast<double>(ir::ByteSize(type.dtype));
  for (const ir::Dim& d : type.shape) {
    shape.push_back(d.is_symbol() ? context.SizeOf(d.symbol().name()) : d.size());
    bytes *= static_cast<double>(shape.back());
  }
  if (bytes > kMostBytes) {
    return absl::ResourceExhaustedError(
        fmt::format("tune: an array of {:.0f} bytes, {:.0f} at most", bytes, kMostBytes));
  }
  auto tensor = runtime::Tensor::Create(static_cast<runtime::DType>(type.dtype), std::move(shape));
  if (tensor.ok()) Fill(*tensor);
  return tensor;
}

}  // namespace

absl::StatusOr<CallTrials> CallTrials::Create(std::span<const runtime::Executable> versions,
                                              const ir::Function& entry, int64_t others_bytes,
                                              const passes::PassContext& context) {
  CallTrials trials;
  if (absl::Status s = trials.Allocate(entry, context); !s.ok()) return s;
  if (absl::Status s = trials.Bind(versions); !s.ok()) return s;
  const int64_t caches = context.target.l2_bytes + context.target.l3_bytes;
  auto others = runtime::AlignedBuffer::Create(std::clamp<int64_t>(others_bytes, 0, caches));
  if (!others.ok()) return others.status();
  trials.others_ = *std::move(others);
  std::ranges::fill(trials.others_.span(), std::byte(0));
  return trials;
}

absl::Status CallTrials::Allocate(const ir::Function& entry, const passes::PassContext& context) {
  for (int i = 0; i < entry.num_args(); ++i) {
    auto tensor = Filled(entry.arg(i).type(), context);
    if (!tensor.ok()) return tensor.status();
    arguments_.push_back(*std::move(tensor));
  }
  results_.reserve(entry.results().size());  // views point into them
  for (const ir::Result& result : entry.results()) {
    if (result.alias >= 0) {
      updated_.push_back(static_cast<size_t>(result.alias));
      out_.emplace_back(arguments_[updated_.back()]);
      continue;
    }
    auto tensor = Filled(result.value.type(), context);
    if (!tensor.ok()) return tensor.status();
    results_.push_back(*std::move(tensor));
    out_.emplace_back(results_.back());
  }
  return absl::OkStatus();
}

absl::Status CallTrials::Bind(std::span<const runtime::Executable> versions) {
  const std::vector<runtime::TensorView> in(arguments_.begin(), arguments_.end());
  int64_t most = 0;
  for (const runtime::Executable& e : versions) {
    const auto dims = e.BindSymbols(in);
    if (!dims.ok()) return dims.status();
    const auto bytes = e.WorkspaceBytes(*dims);
    if (!bytes.ok()) return bytes.status();
    most = std::max(most, *bytes);
  }
  auto workspace = runtime::AlignedBuffer::Create(most);
  if (!workspace.ok()) return workspace.status();
  workspace_ = *std::move(workspace);
  for (const runtime::Executable& e : versions) {
    auto call = e.Bind(in, out_, workspace_.span());
    if (!call.ok()) return call.status();
    calls_.push_back(*std::move(call));
  }
  return absl::OkStatus();
}

absl::Status CallTrials::Prepare(size_t version, bool warm) {
  constexpr size_t kLine = 64;
  for (const size_t i : updated_) Fill(arguments_[i]);
  if (warm) {
    if (absl::Status s = Run(version); !s.ok()) return s;
  }
  for (size_t i = 0; i < others_.size(); i += kLine) others_.data()[i] ^= std::byte(1);
  return absl::OkStatus();
}

}  // namespace gradus
