#pragma once

// Curves in one picture, with a legend and a table of the numbers.

#include <optional>
#include <string>
#include <vector>

#include "frontend/training/report/html.h"
#include "frontend/training/report/plot.h"

namespace gradus::report {

// Points (x[i], y[i]), x growing. A y that cannot be drawn (see IsDrawable) is a gap in the curve.
struct Series {
  std::string name;
  std::string remark;  // behind the name in the legend
  std::vector<double> x, y;
  Stroke stroke;
  bool in_legend = true;
};

struct LineChart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  bool logarithmic = false;    // the y axis
  bool whole_x = false;        // x are whole numbers
  bool diagonal = false;       // an aid from corner to corner
  bool dots = true;            // at the points, where these are few
  std::optional<Range> x, y;   // what the axes show at least
  std::optional<Table> table;  // behind the picture, in place of the points
  std::string note;            // below the picture
};

// The figure; `id` is unique on the page.
std::string ToHtml(const LineChart& chart, const std::string& id);

// Of many points those that give the same picture: of each of `buckets` pieces of the x axis the
// least and the largest y, and the gaps.
void Thin(Series& series, size_t buckets);

}  // namespace gradus::report
