#pragma once

// What the scores of a classifier are worth at every threshold: the receiver operating
// characteristic, precision and recall, and their areas (Fawcett, "An introduction to ROC
// analysis", 2006).

#include <cstdint>
#include <vector>

#include "frontend/training/history.h"

namespace gradus::report {

// Samples of two kinds with finite scores: the positive ones should have the larger.
struct BinaryScores {
  std::vector<double> scores;
  std::vector<bool> positive;  // as many
  int64_t positives() const;
  int64_t negatives() const { return static_cast<int64_t>(positive.size()) - positives(); }
};
// "Class `positive` or not" of one output; samples without a finite score are left out. Two classes
// of which one score is given: class 1 alone.
BinaryScores OneAgainstRest(const ScoreRecord& record, int64_t positive);

struct Curve {
  std::vector<double> x, y;  // x growing
  double area = 0;           // NaN, and no points, where one of the two kinds is missing
};
// True positive rate over false positive rate; equal scores are one sloping line, so the area is
// the chance that a positive sample scores above a negative one, ties counted half.
Curve Roc(const BinaryScores& samples);
// Precision over recall, one point a threshold; the area is the average precision, the sum of
// precision times the gain in recall.
Curve PrecisionRecall(const BinaryScores& samples);
// Fewer points that look the same: the next one is at least `distance` away in x or y.
void Thin(Curve& curve, double distance);

// Classes that a record tells apart: 2 where there is one score.
int64_t Classes(const ScoreRecord& record);
// Whether there are samples, and all labels are class numbers.
bool IsValid(const ScoreRecord& record);
// The class that sample `i` is answered with: that of the largest score, or 1 from a score of 0.5
// on; -1 if a score is not finite.
int64_t Answer(const ScoreRecord& record, size_t i);

}  // namespace gradus::report
