// Metrics of hits and of errors. AUC is in metrics_curves.cpp.

#include "frontend/metrics.h"

#include <cmath>
#include <vector>

#include "fmt/format.h"

namespace gradus {
namespace {

using Sums = std::vector<MetricSum>;

// Where a prediction counts as positive: `probability`, or its logit.
double Threshold(const Loss& loss, double probability) {
  return loss.from_logits() ? std::log(probability / (1 - probability)) : probability;
}

bool OneScore(Tensor prediction) {
  const int rank = prediction.rank();
  return rank < 2 || prediction.shape()[rank - 1] == Dim(1);
}

Tensor Hits(Tensor agree, Tensor prediction) { return cast(agree, prediction.dtype()); }

Sums BinaryAccuracy(const MetricInput& in, double /*number*/) {
  const Tensor positive = greater(in.prediction, Threshold(in.loss, 0.5));
  return MeanSums(in, Hits(equal(greater(in.target, 0.5), positive), in.prediction));
}

Sums SparseAccuracy(const MetricInput& in, double /*number*/) {
  const Tensor chosen = argmax(in.prediction, -1);
  return MeanSums(in, Hits(equal(chosen, cast(in.target, DType::kI64)), in.prediction));
}

Sums CategoricalAccuracy(const MetricInput& in, double /*number*/) {
  const Tensor chosen = argmax(in.prediction, -1);
  return MeanSums(in, Hits(equal(chosen, argmax(in.target, -1)), in.prediction));
}

Sums Accuracy(const MetricInput& in, double number) {
  if (in.loss.sparse()) return SparseAccuracy(in, number);
  const bool categorical =
      in.loss.target_kind() == TargetKind::kCategorical && !OneScore(in.prediction);
  return categorical ? CategoricalAccuracy(in, number) : BinaryAccuracy(in, number);
}

// The target's score is in the first k if fewer than k are above it. A NaN is above nothing, so it
// must not count as a score.
Sums TopK(const MetricInput& in, double k) {
  const Tensor scores = in.prediction;
  const Tensor number = in.loss.sparse() ? in.target : argmax(in.target, -1);
  const Tensor column = expand_dims(number, -1);
  if (!column || column.is_poison()) return MeanSums(in, column);
  const Tensor classes =
      iota(scores.function(), Type{column.dtype(), scores.shape()}, scores.rank() - 1);
  const Tensor own = reduce_sum(select(equal(column, classes), scores, 0), {-1});
  const Tensor above = cast(greater(scores, expand_dims(own, -1)), scores.dtype());
  const Tensor hit = logical_and(less(reduce_sum(above, {-1}), k), equal(own, own));
  return MeanSums(in, Hits(hit, scores));
}

// --- precision, recall, F1 ---

Tensor Counted(const MetricInput& in, Tensor which) {
  const Tensor ones = cast(which, in.prediction.dtype());
  if (!in.weight || !ones || ones.is_poison()) return reduce_sum(ones);
  return reduce_sum(ones * SpreadOver(in.weight, ones.shape()));
}

enum Outcome : uint8_t { kTruePositive, kFalsePositive, kFalseNegative };

Sums Outcomes(const MetricInput& in, double threshold) {
  if (in.loss.sparse()) {
    in.prediction.function().ReportError(
        {.message = fmt::format("precision, recall and F1 are of binary targets, but the targets "
                                "of {} are class numbers",
                                in.loss.name()),
         .help = "see ConfusionMatrix(classes), or use one-hot targets"});
    const Tensor bad = in.prediction.function().poison();
    return {{"true_positives", bad}, {"false_positives", bad}, {"false_negatives", bad}};
  }
  const Tensor positive = greater(in.prediction, Threshold(in.loss, threshold));
  const Tensor truth = greater(in.target, 0.5);
  return {{"true_positives", Counted(in, logical_and(positive, truth))},
          {"false_positives", Counted(in, logical_and(positive, logical_not(truth)))},
          {"false_negatives", Counted(in, logical_and(logical_not(positive), truth))}};
}

double Ratio(double part, double whole) { return whole == 0 ? 0 : part / whole; }

double PrecisionOf(std::span<const double> s) {
  return Ratio(s[kTruePositive], s[kTruePositive] + s[kFalsePositive]);
}
double RecallOf(std::span<const double> s) {
  return Ratio(s[kTruePositive], s[kTruePositive] + s[kFalseNegative]);
}
double F1Of(std::span<const double> s) {
  return Ratio(2 * s[kTruePositive], 2 * s[kTruePositive] + s[kFalsePositive] + s[kFalseNegative]);
}

// --- errors of numbers ---

Sums AbsoluteErrors(const MetricInput& in, double /*number*/) {
  return MeanSums(in, abs(in.prediction - in.target));
}

Sums SquaredErrors(const MetricInput& in, double /*number*/) {
  return MeanSums(in, square(in.prediction - in.target));
}

// In f64, because squares of targets far from 0 cancel in the end.
Sums RSquaredSums(const MetricInput& in, double /*number*/) {
  Tensor target = cast(in.target, DType::kF64);
  const Tensor prediction = cast(in.prediction, DType::kF64);
  if (!target || target.is_poison()) return {{"count", target}};
  Axes samples;  // all axes but the columns
  for (int64_t axis = 0; axis < std::max(target.rank() - 1, 1); ++axis) samples.push_back(axis);
  Tensor weight =
      in.weight ? SpreadOver(cast(in.weight, DType::kF64), target.shape()) : full_like(target, 1);
  const Tensor error = prediction - target;
  return {{"count", reduce_sum(weight, samples)},
          {"targets", reduce_sum(weight * target, samples)},
          {"squares", reduce_sum(weight * target * target, samples)},
          {"squared_errors", reduce_sum(weight * error * error, samples)}};
}

// Targets without spread: 1 where predicted exactly, else 0 (as scikit-learn).
double RSquaredOf(std::span<const double> s) {
  const size_t columns = s.size() / 4;
  double sum = 0;
  for (size_t c = 0; c < columns; ++c) {
    const double n = s[c], targets = s[columns + c], squares = s[2 * columns + c];
    const double errors = s[3 * columns + c];
    const double spread = n > 0 ? squares - targets * targets / n : 0;
    sum += spread > 0 ? 1 - errors / spread : errors == 0 ? 1 : 0;
  }
  return sum / static_cast<double>(columns);
}

// --- confusion matrix ---

// Rows of one-hot classes, [.., classes].
Tensor OneHotOf(const MetricInput& in, Tensor scores, int64_t classes, double threshold) {
  const DType dtype = in.prediction.dtype();
  if (!OneScore(in.prediction)) return one_hot(argmax(scores, -1), classes, dtype);
  Tensor positive = greater(scores, threshold);
  if (scores.rank() > 1) positive = squeeze(positive, scores.rank() - 1);
  return one_hot(cast(positive, DType::kI64), classes, dtype);
}

Sums Confusion(const MetricInput& in, double number) {
  const auto classes = static_cast<int64_t>(number);
  const int rank = in.prediction.rank();
  const int64_t given = OneScore(in.prediction) ? 2 : in.prediction.shape()[rank - 1].size();
  ir::Function& f = in.prediction.function();
  if (given != classes) {
    f.ReportError({.location = in.prediction.node()->location(),
                   .message = fmt::format("confusion matrix of {} classes, but the prediction {} "
                                          "has {}",
                                          classes, ir::ToString(in.prediction.shape()), given),
                   .help = "the last axis of the prediction counts the classes; [.., 1] are two"});
    return {{"counts", f.poison()}};
  }
  Tensor truth = in.loss.sparse() ? one_hot(in.target, classes, in.prediction.dtype())
                                  : OneHotOf(in, in.target, classes, 0.5);
  const Tensor chosen = OneHotOf(in, in.prediction, classes, Threshold(in.loss, 0.5));
  if (!truth || truth.is_poison() || !chosen || chosen.is_poison()) return {{"counts", truth}};
  if (in.weight) truth = truth * SpreadOver(in.weight, truth.shape());
  return {{"counts", matmul(truth, chosen, {.transpose_a = true})}};
}

int64_t ClassesOf(std::span<const double> counts) {
  return std::lround(std::sqrt(static_cast<double>(counts.size())));
}

double ConfusionAccuracy(std::span<const double> counts) {
  const auto classes = static_cast<size_t>(ClassesOf(counts));
  double right = 0, all = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    all += counts[i];
    if (i / classes == i % classes) right += counts[i];
  }
  return Ratio(right, all);
}

MetricTable ConfusionTable(std::span<const double> counts) {
  MetricTable table;
  for (int64_t c = 0; c < ClassesOf(counts); ++c) table.columns.push_back(fmt::format("{}", c));
  table.values.assign(counts.begin(), counts.end());
  return table;
}

}  // namespace

// NOLINTBEGIN(readability-identifier-naming)
constinit const Metric accuracy{"accuracy", Accuracy, MeanOfSums};
constinit const Metric binary_accuracy{"binary_accuracy", BinaryAccuracy, MeanOfSums};
constinit const Metric categorical_accuracy{"categorical_accuracy", CategoricalAccuracy,
                                            MeanOfSums};
constinit const Metric sparse_categorical_accuracy{"sparse_categorical_accuracy", SparseAccuracy,
                                                   MeanOfSums};
constinit const Metric precision{"precision", Outcomes, PrecisionOf, 0.5};
constinit const Metric recall{"recall", Outcomes, RecallOf, 0.5};
constinit const Metric f1{"f1", Outcomes, F1Of, 0.5};
constinit const Metric mae{"mae", AbsoluteErrors, MeanOfSums};
constinit const Metric mse{"mse", SquaredErrors, MeanOfSums};
constinit const Metric r2{"r2", RSquaredSums, RSquaredOf};
// NOLINTEND(readability-identifier-naming)

Metric TopKAccuracy(int k) { return {"top_{}_accuracy", TopK, MeanOfSums, static_cast<double>(k)}; }
Metric PrecisionAt(double threshold) {
  return {"precision_at_{}", Outcomes, PrecisionOf, threshold};
}
Metric RecallAt(double threshold) { return {"recall_at_{}", Outcomes, RecallOf, threshold}; }
Metric F1At(double threshold) { return {"f1_at_{}", Outcomes, F1Of, threshold}; }
Metric ConfusionMatrix(int classes) {
  return {"confusion_matrix", Confusion, ConfusionAccuracy, static_cast<double>(classes),
          ConfusionTable};
}

}  // namespace gradus
