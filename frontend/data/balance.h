// What to do where one class is rare: weigh its samples, show them more often, or show the others
// less often. Classes are distinct values of `labels`; rows count from 0.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tensor.h"

namespace gradus::data {

// n / (classes * rows of the class), so that every class weighs the same and the mean is 1 (as
// "balanced" in scikit-learn). In order of the labels. Errors: no rows, a missing label.
absl::StatusOr<std::vector<std::pair<double, double>>> ClassWeights(std::span<const double> labels);

// The weight of each sample's class, f32 [n]: for Dataset targets where a model is compiled with
// sample_weights.
absl::StatusOr<runtime::Tensor> SampleWeights(std::span<const double> labels);

// All rows, and of each smaller class more, drawn evenly, until every class has as many as the
// largest; in random order. For training parts only: test parts must stay as they are.
absl::StatusOr<std::vector<int64_t>> Oversample(std::span<const double> labels, uint64_t seed);

// Of each class as many rows as the smallest has, chosen and ordered by chance.
absl::StatusOr<std::vector<int64_t>> Undersample(std::span<const double> labels, uint64_t seed);

}  // namespace gradus::data
