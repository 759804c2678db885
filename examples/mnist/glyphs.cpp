#include "examples/mnist/glyphs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>
#include <utility>

#include "frontend/data/philox.h"

namespace gradus::mnist {
namespace {

using data::PhiloxStream;

constexpr int kColumns = 5, kRows = 7;

// clang-format off
constexpr std::array<std::array<std::string_view, kRows>, kClasses> kGlyphs = {{
    {" ### ", "#   #", "#   #", "#   #", "#   #", "#   #", " ### "},
    {"  #  ", " ##  ", "# #  ", "  #  ", "  #  ", "  #  ", "  #  "},
    {" ### ", "#   #", "    #", "   # ", "  #  ", " #   ", "#####"},
    {" ### ", "#   #", "    #", "  ## ", "    #", "#   #", " ### "},
    {"   # ", "  ## ", " # # ", "#  # ", "#####", "   # ", "   # "},
    {"#####", "#    ", "#### ", "    #", "    #", "#   #", " ### "},
    {"  ## ", " #   ", "#    ", "#### ", "#   #", "#   #", " ### "},
    {"#####", "    #", "   # ", "   # ", "  #  ", "  #  ", "  #  "},
    {" ### ", "#   #", "#   #", " ### ", "#   #", "#   #", " ### "},
    {" ### ", "#   #", "#   #", " ####", "    #", "   # ", " ##  "},
}};
// clang-format on

double Between(PhiloxStream& random, double low, double high) {
  return low + (high - low) * random.Uniform();
}

// How black the drawing is around the point (u, v), in units of its cells: near the middle of a
// black cell 1, `reach` away from it 0, in between smooth.
double Ink(int64_t digit, double u, double v, double reach) {
  const auto& glyph = kGlyphs[static_cast<size_t>(digit)];
  double ink = 0;
  const int column = static_cast<int>(std::floor(u)), row = static_cast<int>(std::floor(v));
  for (int r = std::max(row - 1, 0); r <= std::min(row + 1, kRows - 1); ++r) {
    for (int c = std::max(column - 1, 0); c <= std::min(column + 1, kColumns - 1); ++c) {
      if (glyph[static_cast<size_t>(r)][static_cast<size_t>(c)] != '#') continue;
      const double distance = std::hypot(u - c - 0.5, v - r - 0.5);
      ink += std::clamp(1.5 * (1 - distance / reach), 0.0, 1.0);
    }
  }
  return std::min(ink, 1.0);
}

// One image. Each pixel looks up where it lies in the drawing: back through place, turn, slant and
// size.
void Draw(int64_t digit, PhiloxStream& random, std::span<float> pixels) {
  const double width = Between(random, 2.0, 3.4);  // pixels a cell
  const double height = Between(random, 2.4, 3.2);
  const double turn = Between(random, -0.2, 0.2);
  const double slant = Between(random, -0.3, 0.3);
  const double x0 = kSide / 2.0 + Between(random, -3, 3), y0 = kSide / 2.0 + Between(random, -2, 2);
  const double reach = Between(random, 0.8, 1.2);
  const double noise = Between(random, 0.02, 0.15);
  for (int64_t i = 0; i < kSide; ++i) {
    for (int64_t j = 0; j < kSide; ++j) {
      const double x = static_cast<double>(j) + 0.5 - x0, y = static_cast<double>(i) + 0.5 - y0;
      const double v = (std::cos(turn) * y - std::sin(turn) * x) / height;
      const double u = (std::cos(turn) * x + std::sin(turn) * y) / width + slant * v;
      const double ink = Ink(digit, u + kColumns / 2.0, v + kRows / 2.0, reach);
      const double pixel = std::clamp(ink + noise * random.Normal(), 0.0, 1.0);
      pixels[static_cast<size_t>(i * kSide + j)] = static_cast<float>(pixel);
    }
  }
}

}  // namespace

absl::StatusOr<data::Dataset> MakeDigits(int64_t samples, uint64_t seed) {
  auto images = runtime::Tensor::Create(runtime::DType::kF32, {samples, kSide, kSide, 1});
  if (!images.ok()) return images.status();
  auto labels = runtime::Tensor::Create(runtime::DType::kI64, {samples});
  if (!labels.ok()) return labels.status();
  constexpr size_t kPixels = kSide * kSide;
  for (int64_t n = 0; n < samples; ++n) {
    PhiloxStream random(seed, static_cast<uint64_t>(n));
    const auto digit = static_cast<int64_t>(random.Below(kClasses));
    labels->data<int64_t>()[static_cast<size_t>(n)] = digit;
    Draw(digit, random, images->data<float>().subspan(static_cast<size_t>(n) * kPixels, kPixels));
  }
  return data::Dataset::Of({"x", std::move(*images)}, {"target", std::move(*labels)});
}

}  // namespace gradus::mnist
