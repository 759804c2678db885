#pragma once

// What a metric knows beyond one number: a confusion matrix, the points of a curve.

#include <cstdint>
#include <string>
#include <vector>

namespace gradus {

struct MetricTable {
  std::string name;  // of the metric
  std::vector<std::string> columns;
  std::vector<double> values;  // row by row

  int64_t rows() const {
    return columns.empty() ? 0 : static_cast<int64_t>(values.size() / columns.size());
  }
};

}  // namespace gradus
