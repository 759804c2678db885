#include "frontend/training/metric_totals.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"

namespace gradus {
namespace {

template <typename T>
void AddTo(double* totals, std::span<const T> values) {
  for (const T v : values) *totals++ += static_cast<double>(v);
}

}  // namespace

absl::StatusOr<MetricTotals> MetricTotals::Create(std::vector<OutputMetric> metrics,
                                                  std::span<const std::string> names,
                                                  std::span<const runtime::Tensor> sums) {
  MetricTotals t;
  size_t next = 0, total = 0;
  for (OutputMetric& m : metrics) {
    Place place{std::move(m), total, total};
    for (; next < sums.size() && names[next].starts_with(place.metric.name + "/"); ++next) {
      place.end += static_cast<size_t>(sums[next].num_elements());
    }
    total = place.end;
    t.places_.push_back(std::move(place));
  }
  if (next != sums.size()) {
    return absl::InternalError(fmt::format("no metric has the sum {}", names[next]));
  }
  t.totals_.assign(total, 0);
  return t;
}

void MetricTotals::Clear() {
  std::ranges::fill(totals_, 0);
  samples_ = loss_ = 0;
}

void MetricTotals::Add(double loss, int64_t samples, std::span<const runtime::Tensor> sums) {
  const auto weight = static_cast<double>(samples);
  samples_ += weight;
  loss_ += weight * loss;
  double* next = totals_.data();
  for (const runtime::Tensor& s : sums) {
    if (s.dtype() == runtime::DType::kF64) {
      AddTo(next, s.data<double>());
    } else {
      AddTo(next, s.data<float>());
    }
    next += s.num_elements();
  }
}

std::vector<double> MetricTotals::State() const {
  std::vector<double> state = {samples_, loss_};
  state.insert(state.end(), totals_.begin(), totals_.end());
  return state;
}

bool MetricTotals::SetState(std::span<const double> state) {
  if (state.size() != totals_.size() + 2) return false;
  samples_ = state[0];
  loss_ = state[1];
  std::ranges::copy(state.subspan(2), totals_.begin());
  return true;
}

Evaluation MetricTotals::Values(bool with_tables) const {
  Evaluation e;
  e.loss = loss_ / samples_;
  for (const Place& p : places_) {
    e.metrics.push_back(p.metric.metric.result(TotalsOf(p)));
    if (!with_tables || p.metric.metric.table == nullptr) continue;
    e.tables.push_back(p.metric.metric.table(TotalsOf(p)));
    e.tables.back().name = p.metric.name;
  }
  return e;
}

}  // namespace gradus
