#include "tools/bench/measure.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tools/bench/machine.h"

namespace gradus::tools {
namespace {

// `part` of 1 of the values are below it. Sorts.
double Quantile(std::vector<double>& values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(std::lround(part * static_cast<double>(values.size() - 1)))];
}

}  // namespace

absl::StatusOr<BoundFunction> BoundFunction::Create(const runtime::Executable& executable,
                                                    std::vector<runtime::Tensor> arguments,
                                                    const gradus_threads* threads) {
  BoundFunction f;
  f.arguments_ = std::move(arguments);
  const std::vector<runtime::TensorView> in(f.arguments_.begin(), f.arguments_.end());
  auto dims = executable.BindSymbols(in);
  if (!dims.ok()) return dims.status();
  const gradus_entry_info& info = executable.info();
  std::vector<runtime::MutableTensorView> out;
  f.results_.reserve(static_cast<size_t>(info.result_count));  // views point into them
  for (const runtime::Tensor& a : f.arguments_) f.io_bytes_ += a.byte_size();
  for (int32_t i = 0; i < info.result_count; ++i) {
    if (info.results[i].alias >= 0) {
      const auto argument = static_cast<size_t>(info.results[i].alias);
      auto value = f.arguments_[argument].Clone();
      if (!value.ok()) return value.status();
      f.saved_.push_back({argument, *std::move(value)});
      out.emplace_back(f.arguments_[argument]);
    } else {
      auto shape = executable.ResultShape(i, *dims);
      if (!shape.ok()) return shape.status();
      auto result = runtime::Tensor::Zeros(static_cast<runtime::DType>(info.results[i].dtype),
                                           *std::move(shape));
      if (!result.ok()) return result.status();
      f.results_.push_back(*std::move(result));
      out.emplace_back(f.results_.back());
    }
    const runtime::TensorView view = out.back();
    int64_t bytes = runtime::DTypeSize(view.dtype);
    for (const int64_t n : view.shape) bytes *= n;
    f.io_bytes_ += bytes;
  }
  auto bytes = executable.WorkspaceBytes(*dims);
  if (!bytes.ok()) return bytes.status();
  auto workspace = runtime::AlignedBuffer::Create(*bytes);
  if (!workspace.ok()) return workspace.status();
  f.workspace_ = *std::move(workspace);
  auto call = executable.Bind(in, out, f.workspace_.span(), threads);
  if (!call.ok()) return call.status();
  f.call_ = *std::move(call);
  return f;
}

void BoundFunction::Restore() {
  for (const Saved& s : saved_) {
    if (s.value.raw() == nullptr) continue;
    std::memcpy(arguments_[s.argument].raw(), s.value.raw(),
                static_cast<size_t>(s.value.byte_size()));
  }
}

absl::StatusOr<Timing> MeasureCalls(BoundFunction& function, double seconds) {
  constexpr double kSample = 50e-6, kWarmUp = 0.2;
  constexpr int64_t kLeastSamples = 5, kCallsBetweenRestores = 256;
  Timing timing;
  timing.calls_a_sample = 1;
  int64_t calls = 0;
  std::vector<double> wall, cpu;
  double spent = 0;
  bool warm = false;
  const double begin = WallSeconds();
  while (spent < seconds || timing.samples < kLeastSamples) {
    if (calls >= kCallsBetweenRestores) {
      function.Restore();
      calls = 0;
      if (absl::Status s = function.Run(); !s.ok()) return s;
    }
    const double cpu_start = ThreadSeconds(), start = WallSeconds();
    for (int64_t i = 0; i < timing.calls_a_sample; ++i) {
      if (absl::Status s = function.Run(); !s.ok()) return s;
    }
    const double took = WallSeconds() - start, cpu_took = ThreadSeconds() - cpu_start;
    calls += timing.calls_a_sample;
    if (!warm) {
      if (took < kSample && timing.calls_a_sample < kCallsBetweenRestores) {
        timing.calls_a_sample *= 2;
        continue;
      }
      warm = WallSeconds() - begin > kWarmUp;
      continue;
    }
    const auto n = static_cast<double>(timing.calls_a_sample);
    wall.push_back(took / n * 1e3);
    cpu.push_back(cpu_took / n * 1e3);
    spent += took;
    ++timing.samples;
  }
  timing.median_ms = Quantile(wall, 0.5);
  timing.p10_ms = Quantile(wall, 0.1);
  timing.p90_ms = Quantile(wall, 0.9);
  timing.cpu_median_ms = Quantile(cpu, 0.5);
  return timing;
}

}  // namespace gradus::tools
