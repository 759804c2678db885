#pragma once

// The sums of metrics added over batches, and what the metrics make of them.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/metric.h"
#include "frontend/training/history.h"
#include "runtime/tensor.h"

namespace gradus {

// A metric of one output of a model.
struct OutputMetric {
  std::string name;  // unique: "accuracy", or "price_accuracy" of one among several outputs
  Metric metric;
  size_t output = 0;
  bool weighted = false;  // by the sample weights
};

class MetricTotals {
 public:
  MetricTotals() = default;
  // `sums` are the names and the tensors that an entry writes in a batch after the loss:
  // "<metric>/<sum>", metric after metric.
  static absl::StatusOr<MetricTotals> Create(std::vector<OutputMetric> metrics,
                                             std::span<const std::string> names,
                                             std::span<const runtime::Tensor> sums);

  void Clear();
  // What a batch gave: the mean loss of its samples, and the sums in the order of Create.
  // Allocates nothing.
  void Add(double loss, int64_t samples, std::span<const runtime::Tensor> sums);
  // All that Values follows from, to go on later; SetState is false for one of other metrics.
  std::vector<double> State() const;
  bool SetState(std::span<const double> state);
  // Of all batches since Clear; `with_tables` allocates.
  Evaluation Values(bool with_tables) const;

 private:
  struct Place {
    OutputMetric metric;
    size_t begin = 0, end = 0;  // in totals_
  };
  std::span<const double> TotalsOf(const Place& p) const {
    return std::span(totals_).subspan(p.begin, p.end - p.begin);
  }

  std::vector<Place> places_;
  std::vector<double> totals_;
  double samples_ = 0, loss_ = 0;
};

}  // namespace gradus
