#include "frontend/data/windows.h"

#include <cstring>
#include <utility>
#include <vector>

#include "fmt/format.h"

namespace gradus::data {
namespace {

using runtime::Tensor;

// Windows along the second of two leading axes [groups, steps], counted together.
struct Plan {
  int64_t groups = 1, steps = 0;
  int64_t first = 0;   // offset of a window's first row from its start
  int64_t length = 1;  // rows of a window
  int64_t stride = 1, per_group = 0;
};

int64_t Bytes(const Tensor& t, const Plan& plan) {
  const int64_t rows = plan.groups * plan.steps;
  return rows > 0 ? t.byte_size() / rows : 0;
}

absl::StatusOr<Tensor> Cut(const Tensor& source, const Plan& plan, std::vector<int64_t> shape) {
  absl::StatusOr<Tensor> out = Tensor::Create(source.dtype(), std::move(shape));
  if (!out.ok()) return out;
  const auto row = static_cast<size_t>(Bytes(source, plan));
  const size_t window = row * static_cast<size_t>(plan.length);
  const auto* from = static_cast<const std::byte*>(source.raw());
  auto* to = static_cast<std::byte*>(out->raw());
  if (window == 0 || out->byte_size() == 0) return out;
  for (int64_t group = 0; group < plan.groups; ++group) {
    for (int64_t i = 0; i < plan.per_group; ++i) {
      const int64_t first = group * plan.steps + i * plan.stride + plan.first;
      std::memcpy(to, from + static_cast<size_t>(first) * row, window);
      to += window;
    }
  }
  return out;
}

// How many windows that reach over `reach` rows there are in `steps`.
absl::StatusOr<int64_t> CountWindows(int64_t steps, int64_t reach, int64_t stride) {
  if (stride < 1 || reach < 1) {
    return absl::InvalidArgumentError(
        fmt::format("windows of {} with stride {}: expected at least 1 of both", reach, stride));
  }
  if (steps < reach) {
    return absl::InvalidArgumentError(
        fmt::format("a window reaches over {} rows, and there are {}", reach, steps));
  }
  return (steps - reach) / stride + 1;
}

absl::StatusOr<Plan> PlanRows(const Tensor& rows, int64_t length, int64_t stride) {
  if (rows.rank() < 1) return absl::InvalidArgumentError("windows need an axis of rows, got []");
  const int64_t steps = rows.shape()[0];
  const auto count = CountWindows(steps, length, stride);
  if (!count.ok()) return count.status();
  return Plan{1, steps, 0, length, stride, *count};
}

}  // namespace

absl::StatusOr<Tensor> RowWindows(const Tensor& rows, int64_t length, int64_t stride) {
  const auto plan = PlanRows(rows, length, stride);
  if (!plan.ok()) return plan.status();
  std::vector<int64_t> shape = {plan->per_group, length};
  shape.insert(shape.end(), rows.shape().begin() + 1, rows.shape().end());
  return Cut(rows, *plan, std::move(shape));
}

absl::StatusOr<Tensor> LastOfWindows(const Tensor& labels, int64_t length, int64_t stride) {
  auto plan = PlanRows(labels, length, stride);
  if (!plan.ok()) return plan.status();
  plan->first = length - 1;
  plan->length = 1;
  std::vector<int64_t> shape = labels.shape();
  shape[0] = plan->per_group;
  return Cut(labels, *plan, std::move(shape));
}

absl::StatusOr<Dataset> CreateSequences(const Dataset& rows, int64_t length, int64_t stride) {
  std::vector<NamedTensor> inputs, targets;
  for (const NamedTensor& array : rows.inputs()) {
    auto windows = RowWindows(array.tensor, length, stride);
    if (!windows.ok()) return windows.status();
    inputs.push_back({array.name, *std::move(windows)});
  }
  for (const NamedTensor& array : rows.targets()) {
    auto last = LastOfWindows(array.tensor, length, stride);
    if (!last.ok()) return last.status();
    targets.push_back({array.name, *std::move(last)});
  }
  return Dataset::Create(std::move(inputs), std::move(targets));
}

absl::StatusOr<Dataset> TimeWindows(const Tensor& series, const TimeWindowOptions& options,
                                    const std::string& name) {
  const std::vector<int64_t>& shape = series.shape();
  if (shape.size() != 2 && shape.size() != 3) {
    return absl::InvalidArgumentError(fmt::format(
        "series are [T, features] or [n, T, features], got {}", runtime::FormatShape(shape)));
  }
  if (options.length < 1 || options.horizon < 1 || options.answers < 1) {
    return absl::InvalidArgumentError(
        fmt::format("windows of length {}, horizon {} and {} answers: expected at least 1 of each",
                    options.length, options.horizon, options.answers));
  }
  Plan plan;
  plan.groups = shape.size() == 3 ? shape[0] : 1;
  plan.steps = shape[shape.size() - 2];
  plan.stride = options.stride;
  int64_t reach = 0;  // from the first step seen to the last answered
  if (__builtin_add_overflow(options.length, options.horizon - 1, &reach) ||
      __builtin_add_overflow(reach, options.answers, &reach)) {
    return absl::InvalidArgumentError("the windows are longer than any series");
  }
  const auto count = CountWindows(plan.steps, reach, options.stride);
  if (!count.ok()) return count.status();
  plan.per_group = *count;
  const int64_t all = plan.groups * plan.per_group, features = shape.back();
  plan.length = options.length;
  auto x = Cut(series, plan, {all, options.length, features});
  if (!x.ok()) return x.status();
  plan.first = options.length + options.horizon - 1;
  plan.length = options.answers;
  auto y = Cut(series, plan, {all, options.answers, features});
  if (!y.ok()) return y.status();
  return Dataset::Of({name, *std::move(x)}, {name + "_next", *std::move(y)});
}

}  // namespace gradus::data
