// Areas under curves: from counts at thresholds inside of the step, and exactly on the host.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "fmt/format.h"
#include "frontend/metrics.h"

namespace gradus {
namespace {

constexpr int64_t kThresholds = 200;
constexpr double kMargin = 1e-7;  // beyond 0 and 1: everything is above the first, nothing the last

double ThresholdAt(size_t i) {
  return static_cast<double>(i) * ((1 + 2 * kMargin) / (kThresholds - 1)) - kMargin;
}

// How many positives and how many negatives score above each threshold, [200] each.
std::vector<MetricSum> AboveThresholds(const MetricInput& in, double /*number*/) {
  const Tensor p = in.loss.from_logits() ? sigmoid(in.prediction) : in.prediction;
  ir::Function& f = in.prediction.function();
  if (in.loss.sparse()) {
    f.ReportError({.message = fmt::format("an area under a curve is of binary targets, but the "
                                          "targets of {} are class numbers",
                                          in.loss.name()),
                   .help = "use one-hot targets"});
    return {{"true_positives", f.poison()}, {"false_positives", f.poison()}};
  }
  const DType dtype = p.dtype();
  const Tensor number = iota(f, Type{dtype, {kThresholds}}, 0);
  const Tensor thresholds = number * ((1 + 2 * kMargin) / (kThresholds - 1)) - kMargin;
  const Tensor above = greater(expand_dims(p, p.rank()), thresholds);
  if (!above || above.is_poison()) return {{"true_positives", above}, {"false_positives", above}};
  Tensor positive = cast(greater(in.target, 0.5), dtype);
  Tensor negative = 1 - positive;
  if (in.weight) {
    const Tensor weight = SpreadOver(in.weight, positive.shape());
    positive = positive * weight;
    negative = negative * weight;
  }
  Axes samples(static_cast<size_t>(p.rank()));
  std::iota(samples.begin(), samples.end(), int64_t{0});
  const auto counted = [&](Tensor which) {
    return reduce_sum(cast(above, dtype) * expand_dims(which, p.rank()), samples);
  };
  return {{"true_positives", counted(positive)}, {"false_positives", counted(negative)}};
}

double Ratio(double part, double whole) { return whole == 0 ? 0 : part / whole; }

// Everything is above the first threshold, so the first counts are those of the classes.
double RocArea(std::span<const double> sums) {
  const auto tp = sums.first(kThresholds), fp = sums.subspan(kThresholds);
  double area = 0;
  for (size_t i = 0; i + 1 < kThresholds; ++i) {
    const double height = Ratio(tp[i], tp[0]) + Ratio(tp[i + 1], tp[0]);
    area += height / 2 * (Ratio(fp[i], fp[0]) - Ratio(fp[i + 1], fp[0]));
  }
  return area;
}

// Between two thresholds true positives are taken as linear in all that is above:
// tp = slope * (tp + fp) + intercept. The area is the integral of tp / (tp + fp) over recall.
double PrecisionRecallArea(std::span<const double> sums) {
  const auto tp = sums.first(kThresholds), fp = sums.subspan(kThresholds);
  double area = 0;
  for (size_t i = 0; i + 1 < kThresholds; ++i) {
    const double here = tp[i] + fp[i], next = tp[i + 1] + fp[i + 1];
    const double hits = tp[i] - tp[i + 1];
    const double slope = here > next ? hits / (here - next) : 0;
    const double intercept = tp[i + 1] - slope * next;
    const double ratio = here > 0 && next > 0 ? here / next : 1;
    area += Ratio(slope * (hits + intercept * std::log(ratio)), tp[0]);
  }
  return area;
}

MetricTable CurveTable(std::span<const double> sums) {
  const auto tp = sums.first(kThresholds), fp = sums.subspan(kThresholds);
  MetricTable table;
  table.columns = {"threshold", "true_positive_rate", "false_positive_rate", "precision"};
  for (size_t i = 0; i < kThresholds; ++i) {
    const double all = tp[i] + fp[i];
    table.values.insert(table.values.end(), {ThresholdAt(i), Ratio(tp[i], tp[0]),
                                             Ratio(fp[i], fp[0]), all > 0 ? tp[i] / all : 1});
  }
  return table;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming)
constinit const Metric auc{"auc", AboveThresholds, RocArea, 0, CurveTable};
// NOLINTNEXTLINE(readability-identifier-naming)
constinit const Metric pr_auc{"pr_auc", AboveThresholds, PrecisionRecallArea, 0, CurveTable};

absl::StatusOr<double> RocAuc(std::span<const float> labels, std::span<const float> scores) {
  if (labels.size() != scores.size()) {
    return absl::InvalidArgumentError(fmt::format("auc: {} labels and {} scores, expected as many",
                                                  labels.size(), scores.size()));
  }
  for (size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) {
      return absl::InvalidArgumentError(fmt::format("auc: score {} is not a number", i));
    }
  }
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  // Sum of the positives' ranks; equal scores share the mean of theirs.
  double rank_sum = 0, positives = 0;
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    double tied_positives = 0;
    while (end < order.size() && scores[order[end]] == scores[order[begin]]) {
      if (labels[order[end]] > 0.5F) tied_positives += 1;
      ++end;
    }
    rank_sum += tied_positives * (static_cast<double>(begin + 1) + static_cast<double>(end)) / 2;
    positives += tied_positives;
    begin = end;
  }
  const double negatives = static_cast<double>(order.size()) - positives;
  if (positives == 0 || negatives == 0) {
    return absl::InvalidArgumentError("auc: needs samples of both classes");
  }
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

}  // namespace gradus
