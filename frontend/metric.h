#pragma once

// The contract of a metric. It is computed inside of the compiled step as sums over a batch: counts
// of hits, of samples, of squared errors. The sums are added over the batches, in double, and the
// metric is what `result` makes of the totals. So a smaller last batch counts for what it holds,
// and ratios (precision, AUC) are those of the whole data set.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/losses.h"
#include "frontend/tensor.h"
#include "frontend/training/metric_table.h"

namespace gradus {

struct MetricInput {
  Tensor target, prediction;
  Tensor weight;  // of each sample, [B]; no tensor: all count 1
  const Loss& loss;
};

// A tensor of any fixed shape, of a float dtype.
struct MetricSum {
  std::string_view name;
  Tensor value;
};

struct Metric {
  std::string_view name;  // of letters, digits and underscores; "{}" stands for the number
  // Graph code: what a batch adds. `number` is the one below.
  std::vector<MetricSum> (*update)(const MetricInput& in, double number) = nullptr;
  // From the elements of all sums, in the order of update's result.
  double (*result)(std::span<const double> sums) = nullptr;
  double number = 0;  // a threshold, a count of classes, ...
  // What there is to see beyond `result`; null: nothing. Leaves the name empty.
  MetricTable (*table)(std::span<const double> sums) = nullptr;

  std::string full_name() const;
};

// For metrics that are a mean of values [B, ...]: the values' weighted sum and the sum of weights.
std::vector<MetricSum> MeanSums(const MetricInput& in, Tensor values);
// Of the sums of MeanSums: total / count; 0 where nothing was counted.
double MeanOfSums(std::span<const double> sums);

}  // namespace gradus
