#include "frontend/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "fmt/format.h"

namespace gradus {
namespace {

Tensor MeanOf(Tensor hits, DType dtype) { return reduce_mean(cast(hits, dtype)); }

Tensor BinaryAccuracy(Tensor target, Tensor prediction, const Loss& loss) {
  const double threshold = loss.from_logits() ? 0.0 : 0.5;
  return MeanOf(equal(greater(target, 0.5), greater(prediction, threshold)), prediction.dtype());
}

Tensor Accuracy(Tensor target, Tensor prediction, const Loss& loss) {
  const int rank = prediction.rank();
  if (loss.sparse()) {
    return MeanOf(equal(argmax(prediction, -1), cast(target, DType::kI64)), prediction.dtype());
  }
  const bool categorical = rank > 1 && !(prediction.shape()[rank - 1] == Dim(1)) &&
                           loss.name().starts_with("categorical");
  if (!categorical) return BinaryAccuracy(target, prediction, loss);
  return MeanOf(equal(argmax(prediction, -1), argmax(target, -1)), prediction.dtype());
}

}  // namespace

constinit const Metric accuracy{"accuracy", Accuracy};  // NOLINT(readability-identifier-naming)
// NOLINTNEXTLINE(readability-identifier-naming)
constinit const Metric binary_accuracy{"binary_accuracy", BinaryAccuracy};

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
