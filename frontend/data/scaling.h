// Brings columns to a common scale. What the scale is, is learned from the training part alone and
// then applied to every part, so that nothing of the test part leaks into training.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/data/table.h"

namespace gradus::data {

// scaled = (x - offset) / scale
struct ColumnScale {
  std::string name;
  double offset = 0;
  double scale = 1;
};

class Scaler {
 public:
  // offset = mean, scale = standard deviation (over n, as in scikit-learn). Missing numbers are
  // left out of fitting and stay missing; a column without any number is an error.
  static absl::StatusOr<Scaler> FitStandard(const Table& training);
  // offset = min, scale = max - min: the training part lands in [0, 1], other parts may not.
  static absl::StatusOr<Scaler> FitMinMax(const Table& training);

  // `table` must have the fitted columns, by name and in order. A column that was constant in
  // training has scale 1, so its training value becomes 0.
  absl::StatusOr<Table> Apply(const Table& table) const;

  std::span<const ColumnScale> columns() const { return columns_; }

 private:
  explicit Scaler(std::vector<ColumnScale> columns) : columns_(std::move(columns)) {}

  std::vector<ColumnScale> columns_;
};

}  // namespace gradus::data
