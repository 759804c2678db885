#pragma once

// Pictures of a classifier's answers that are not curves: how scores are distributed, and which
// classes are taken for which.

#include <cstdint>
#include <string>
#include <vector>

#include "frontend/training/report/plot.h"

namespace gradus::report {

// Values of several groups over the same bins; each group's bars are shares of that group, so that
// a rare class is seen beside a common one.
struct Histogram {
  struct Group {
    std::string name;
    std::vector<double> values;  // those that are not finite are left out, and counted below
    Stroke stroke;
  };
  std::string title, x_label;
  std::vector<Group> groups;
  Range x;  // what the axis shows at least
};
std::string ToHtml(const Histogram& histogram, const std::string& id);

// counts[truth * classes + answer].
struct ConfusionMatrix {
  std::string title;
  int64_t classes = 0;
  std::vector<int64_t> counts;
  std::string remark;  // below the picture
};
inline constexpr int64_t kMostMatrixClasses = 20;  // more would not be readable
std::string ToHtml(const ConfusionMatrix& matrix, const std::string& id);

}  // namespace gradus::report
