#pragma once

// Metrics. Those of Compile are graph code, means over a batch, computed inside the compiled step;
// Fit and Evaluate weigh batches by their size. RocAuc needs all scores at once and runs on the
// host.

#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "frontend/losses.h"
#include "frontend/tensor.h"

namespace gradus {

struct Metric {
  std::string_view name;
  // A scalar of the prediction's dtype.
  Tensor (*compute)(Tensor target, Tensor prediction, const Loss& loss);
};

// Binary (prediction [..., 1] or any shape with a binary loss), categorical (one-hot targets) or
// sparse (class numbers), as the loss and the shapes say; as Keras' "accuracy".
extern const Metric accuracy;  // NOLINT(readability-identifier-naming): spelled as users write it
// Prediction above 0.5 (logits: above 0) against a target above 0.5.
extern const Metric binary_accuracy;  // NOLINT(readability-identifier-naming)

// Area under the ROC curve: the chance that a random positive scores above a random negative, ties
// counting half (Mann-Whitney U). Labels above 0.5 are positive. Errors: unequal lengths, one class
// only, a NaN score.
absl::StatusOr<double> RocAuc(std::span<const float> labels, std::span<const float> scores);

}  // namespace gradus
