#pragma once

// The metrics. They are given to Compile (`.metrics = {accuracy, auc}`), computed inside of the
// compiled step, and right for batches of any sizes; see frontend/metric.h for the contract and for
// one's own. RocAuc needs all scores at once and runs on the host.
//
// Decisions are at 0.5, or at the logit of it where the loss takes logits. Multi-label outputs
// [B, labels] count element by element.
//
// NOLINTBEGIN(readability-identifier-naming): spelled as users write them

#include <span>

#include "absl/status/statusor.h"
#include "frontend/metric.h"

namespace gradus {

// Binary (prediction [..., 1] or any shape with a binary loss), categorical (one-hot targets) or
// sparse (class numbers), as the loss and the shapes say; as Keras' "accuracy".
extern const Metric accuracy;
// Prediction above 0.5 (logits: above 0) against a target above 0.5.
extern const Metric binary_accuracy;
// The largest score's class against the target's: one-hot targets; class numbers.
extern const Metric categorical_accuracy;
extern const Metric sparse_categorical_accuracy;
// Whether fewer than k classes score above the target's. One-hot targets or class numbers, as the
// loss says.
Metric TopKAccuracy(int k);

// Of binary targets: tp / (tp + fp), tp / (tp + fn), 2 tp / (2 tp + fp + fn); 0 where nothing is
// counted.
extern const Metric precision;
extern const Metric recall;
extern const Metric f1;
// The same, deciding at another probability.
Metric PrecisionAt(double threshold);
Metric RecallAt(double threshold);
Metric F1At(double threshold);

// Area under the ROC and under the precision-recall curve, from counts at 200 thresholds that are
// even in probability, so exact only as far as these tell scores apart (RocAuc is exact). ROC by
// trapezoids, precision-recall by the interpolation of Davis and Goadrich 2006, as in Keras.
// Table: threshold, true_positive_rate, false_positive_rate, precision.
extern const Metric auc;
extern const Metric pr_auc;

extern const Metric mae;  // mean absolute error
extern const Metric mse;  // mean squared error
// 1 - squared errors / squared deviations from the targets' mean, for each column of the last axis,
// then their mean. Summed in f64.
extern const Metric r2;

// Table: rows are the targets' classes, columns the predicted. The value is the accuracy. Two
// classes may have one score, [..., 1].
Metric ConfusionMatrix(int classes);

// Area under the ROC curve: the chance that a random positive scores above a random negative, ties
// counting half (Mann-Whitney U). Labels above 0.5 are positive. Errors: unequal lengths, one class
// only, a NaN score.
absl::StatusOr<double> RocAuc(std::span<const float> labels, std::span<const float> scores);

}  // namespace gradus
// NOLINTEND(readability-identifier-naming)
