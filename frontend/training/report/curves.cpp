#include "frontend/training/report/curves.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace gradus::report {
namespace {

size_t Columns(const ScoreRecord& record) {
  return static_cast<size_t>(std::max<int64_t>(record.classes, 1));
}

// Calls `point(true_positives, false_positives)` after each group of equal scores, from the largest
// score down.
template <typename F>
void ForEachThreshold(const BinaryScores& samples, F point) {
  std::vector<size_t> order(samples.scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return samples.scores[a] > samples.scores[b]; });
  double true_positives = 0, false_positives = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    (samples.positive[order[i]] ? true_positives : false_positives) += 1;
    const bool last_of_equal =
        i + 1 == order.size() || samples.scores[order[i + 1]] != samples.scores[order[i]];
    if (last_of_equal) point(true_positives, false_positives);
  }
}

Curve NoCurve() { return {{}, {}, std::numeric_limits<double>::quiet_NaN()}; }

}  // namespace

int64_t BinaryScores::positives() const {
  return std::count(positive.begin(), positive.end(), true);
}

BinaryScores OneAgainstRest(const ScoreRecord& record, int64_t positive) {
  const size_t columns = Columns(record);
  const size_t column = columns == 1 ? 0 : static_cast<size_t>(positive);
  BinaryScores samples;
  for (size_t i = 0; i < record.labels.size(); ++i) {
    const double score = record.scores[i * columns + column];
    if (!std::isfinite(score)) continue;
    samples.scores.push_back(score);
    samples.positive.push_back(static_cast<int64_t>(record.labels[i]) == positive);
  }
  return samples;
}

Curve Roc(const BinaryScores& samples) {
  const auto positives = static_cast<double>(samples.positives());
  const auto negatives = static_cast<double>(samples.negatives());
  if (positives == 0 || negatives == 0) return NoCurve();
  Curve curve{{0}, {0}, 0};
  ForEachThreshold(samples, [&](double true_positives, double false_positives) {
    const double x = false_positives / negatives, y = true_positives / positives;
    curve.area += (x - curve.x.back()) * (y + curve.y.back()) / 2;
    curve.x.push_back(x);
    curve.y.push_back(y);
  });
  return curve;
}

Curve PrecisionRecall(const BinaryScores& samples) {
  const auto positives = static_cast<double>(samples.positives());
  if (positives == 0 || samples.negatives() == 0) return NoCurve();
  Curve curve;
  double recall = 0;
  ForEachThreshold(samples, [&](double true_positives, double false_positives) {
    const double x = true_positives / positives;
    const double y = true_positives / (true_positives + false_positives);
    if (curve.x.empty()) {
      curve.x.push_back(0);
      curve.y.push_back(y);
    }
    curve.area += (x - recall) * y;
    recall = x;
    curve.x.push_back(x);
    curve.y.push_back(y);
  });
  return curve;
}

void Thin(Curve& curve, double distance) {
  size_t kept = 0;
  for (size_t i = 0; i < curve.x.size(); ++i) {
    const bool far = i == 0 || i + 1 == curve.x.size() ||
                     std::abs(curve.x[i] - curve.x[kept - 1]) >= distance ||
                     std::abs(curve.y[i] - curve.y[kept - 1]) >= distance;
    if (!far) continue;
    curve.x[kept] = curve.x[i];
    curve.y[kept] = curve.y[i];
    ++kept;
  }
  curve.x.resize(kept);
  curve.y.resize(kept);
}

int64_t Classes(const ScoreRecord& record) { return std::max<int64_t>(record.classes, 2); }

bool IsValid(const ScoreRecord& record) {
  if (record.labels.empty() || record.scores.size() != record.labels.size() * Columns(record)) {
    return false;
  }
  const auto classes = static_cast<double>(Classes(record));
  return std::all_of(record.labels.begin(), record.labels.end(), [&](double label) {
    return label >= 0 && label < classes && label == std::floor(label);
  });
}

int64_t Answer(const ScoreRecord& record, size_t i) {
  const size_t columns = Columns(record);
  const auto first = record.scores.begin() + static_cast<std::ptrdiff_t>(i * columns);
  const auto last = first + static_cast<std::ptrdiff_t>(columns);
  if (!std::all_of(first, last, [](double s) { return std::isfinite(s); })) return -1;
  if (columns == 1) return *first >= 0.5 ? 1 : 0;
  return std::max_element(first, last) - first;
}

}  // namespace gradus::report
