#pragma once

// The frame that charts are drawn into: an SVG picture with axes, a grid and round values at it.

#include <string>
#include <string_view>

#include "frontend/training/report/scale.h"

namespace gradus::report {

// How something is drawn.
struct Stroke {
  int colour = 0;       // of the palette; after the last one again from 0, dashed
  bool dashed = false;  // whatever the colour
  bool thin = false;
  double ramp = -1;  // 0 to 1: a place on the ramp for what is ordered, in place of `colour`
};
// The attributes `class` and `style` of an element that is drawn so, `kind` being "line", "dots" or
// "bar".
std::string Attributes(std::string_view kind, const Stroke& stroke);
// A short piece of it for a legend, HTML.
std::string Sample(Stroke stroke);

struct PlotText {
  std::string id;     // unique on the page
  std::string title;  // of the figure
  std::string x_label, y_label;
  std::string description;  // for those who do not see it
};

class Plot {
 public:
  Plot(PlotText text, const Scale& x, const Scale& y, bool whole_x = false, bool whole_y = false);
  double X(double value) const { return left_ + x_.At(value) * (kWidth - kRight - left_); }
  double Y(double value) const { return kBottom - y_.At(value) * (kBottom - kTop); }
  // SVG elements, in the order in which they shall lie above each other.
  void Draw(std::string_view element) { body_ += element; }
  // The figure: caption, `legend` (HTML), picture, `below` (HTML).
  std::string Figure(std::string_view legend, std::string_view below) const;

  static constexpr double kWidth = 480, kHeight = 264, kTop = 26, kBottom = 222, kRight = 16;

 private:
  PlotText text_;
  Scale x_, y_;
  double left_ = 0;
  std::string body_;
};

// The caption, the picture and what belongs to it.
std::string Figure(std::string_view title, std::string_view content);
// An SVG picture of the size of `height` and Plot::kWidth.
std::string Picture(const PlotText& text, double height, std::string_view body);

}  // namespace gradus::report
