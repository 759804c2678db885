#include "frontend/training/report/plot.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "fmt/format.h"
#include "frontend/training/report/html.h"

namespace gradus::report {
namespace {

constexpr int kColours = 7;  // --c0 to --c6 in page.cpp

// Viridis (van der Walt and Smith, 2015) at 0, 0.1 .. 1: lightness grows evenly, so the order is
// seen by everybody.
constexpr std::array<std::array<double, 3>, 11> kRamp = {{{68, 1, 84},
                                                          {72, 36, 117},
                                                          {65, 68, 135},
                                                          {53, 95, 141},
                                                          {42, 120, 142},
                                                          {33, 145, 140},
                                                          {34, 168, 132},
                                                          {68, 191, 112},
                                                          {122, 209, 81},
                                                          {189, 223, 38},
                                                          {253, 231, 37}}};

std::string RampColour(double place) {
  const double at = std::clamp(place, 0.0, 1.0) * (kRamp.size() - 1);
  const auto i = std::min(static_cast<size_t>(at), kRamp.size() - 2);
  std::string text = "#";
  for (size_t c = 0; c < 3; ++c) {
    const double mixed = std::lerp(kRamp[i][c], kRamp[i + 1][c], at - static_cast<double>(i));
    text += fmt::format("{:02x}", static_cast<int>(std::lround(mixed)));
  }
  return text;
}

// Letters of a label, which are about 7 units wide: bytes less those that continue a character.
double WidthOf(std::string_view label) {
  const auto starts = std::count_if(label.begin(), label.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  });
  return 7.3 * static_cast<double>(starts);
}

}  // namespace

std::string Attributes(std::string_view kind, const Stroke& stroke) {
  std::string classes(kind);
  if (stroke.thin) classes += " thin";
  const int round = stroke.ramp >= 0 ? 0 : stroke.colour / kColours;
  if (const int dashes = std::min(2, round + (stroke.dashed ? 1 : 0)); dashes > 0) {
    classes += fmt::format(" d{}", dashes);
  }
  if (stroke.ramp < 0) {
    return fmt::format("class=\"{} c{}\"", classes, stroke.colour % kColours);
  }
  // Neither end of the ramp may vanish in its ground: the dark end goes on dark ones, the pale end
  // on white.
  return fmt::format("class=\"{} ramp\" style=\"--light:{};--dark:{}\"", classes,
                     RampColour(0.88 * stroke.ramp), RampColour(0.3 + 0.7 * stroke.ramp));
}

std::string Sample(Stroke stroke) {
  stroke.thin = false;  // a short line needs its colour to be seen
  return fmt::format(
      "<svg viewBox=\"0 0 26 10\" aria-hidden=\"true\"><path {} d=\"M2 5H24\"/></svg>",
      Attributes("line", stroke));
}

Plot::Plot(PlotText text, const Scale& x, const Scale& y, bool whole_x, bool whole_y)
    : text_(std::move(text)), x_(x), y_(y) {
  const auto y_ticks = y_.Ticks(7, whole_y);
  const auto x_ticks = x_.Ticks(7, whole_x);
  double widest = 0;
  for (const Scale::Tick& t : y_ticks) widest = std::max(widest, WidthOf(t.label));
  left_ = std::max(24.0, widest + 10);

  std::string grid, labels;
  for (const Scale::Tick& t : y_ticks) {
    const double at = Y(t.value);
    grid += fmt::format("M{:.1f} {:.1f}H{:.1f}", left_, at, kWidth - kRight);
    labels += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                          left_ - 6, at + 4.2, Escaped(t.label));
  }
  for (const Scale::Tick& t : x_ticks) {
    const double at = X(t.value);
    grid += fmt::format("M{:.1f} {:.1f}V{:.1f}", at, kTop, kBottom + 4);
    // A label at the very end stays within the picture.
    const bool last = at + WidthOf(t.label) / 2 > kWidth;
    labels +=
        fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n",
                    last ? kWidth : at, kBottom + 18, last ? "end" : "middle", Escaped(t.label));
  }
  body_ = fmt::format("<path class=\"grid\" d=\"{}\"/>\n", grid);
  body_ += fmt::format("<path class=\"axis\" d=\"M{:.1f} {:.1f}V{:.1f}H{:.1f}\"/>\n{}", left_, kTop,
                       kBottom, kWidth - kRight, labels);
  body_ += fmt::format("<text x=\"0\" y=\"12\">{}</text>\n", Escaped(text_.y_label));
  body_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                       kWidth - kRight, kHeight - 6, Escaped(text_.x_label));
}

std::string Plot::Figure(std::string_view legend, std::string_view below) const {
  std::string content(legend);
  content += Picture(text_, kHeight, body_);
  content += below;
  return report::Figure(text_.title, content);
}

std::string Figure(std::string_view title, std::string_view content) {
  return fmt::format("<figure>\n<figcaption>{}</figcaption>\n{}</figure>\n", Escaped(title),
                     content);
}

std::string Picture(const PlotText& text, double height, std::string_view body) {
  return fmt::format(
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"{}t {}d\">\n"
      "<title id=\"{}t\">{}</title>\n<desc id=\"{}d\">{}</desc>\n{}</svg>\n",
      Plot::kWidth, height, text.id, text.id, text.id, Escaped(text.title), text.id,
      Escaped(text.description), body);
}

}  // namespace gradus::report
