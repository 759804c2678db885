#include "frontend/training/report/scale.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "fmt/format.h"

namespace gradus::report {
namespace {

// Larger ones would overflow in differences.
constexpr double kLargest = 1e300;

// The least of 1, 2, 5 times a power of ten that is not below `least`.
double RoundStep(double least) {
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

std::string Superscript(int exponent) {
  static constexpr const char* kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text;
  for (const char c : fmt::format("{}", exponent)) {
    text += c == '-' ? "⁻" : kDigits[c - '0'];
  }
  return text;
}

std::string Grouped(std::string digits) {
  const size_t sign = !digits.empty() && digits[0] == '-' ? 1 : 0;
  const size_t point = std::min(digits.find('.'), digits.size());
  for (size_t i = point; i > sign + 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string LinearLabel(double value, double step) {
  if (value == 0) return "0";
  const double size = std::max(std::abs(value), step);
  if (size >= 1e7 || step < 1e-5) return fmt::format("{:.4g}", value);
  const int decimals = std::max(0, -static_cast<int>(std::floor(std::log10(step) + 1e-9)));
  return Grouped(fmt::format("{:.{}f}", value, decimals));
}

// 0.001 to 1,000 as they are, everything else as a power.
std::string LogarithmicLabel(double factor, int exponent) {
  const double value = factor * std::pow(10.0, exponent);
  if (exponent >= -3 && exponent <= 3) return Grouped(fmt::format("{:.5g}", value));
  const std::string power = "10" + Superscript(exponent);
  return factor == 1 ? power : fmt::format("{:g}·{}", factor, power);
}

}  // namespace

void Range::Add(double value) {
  low = std::min(low, value);
  high = std::max(high, value);
}

bool IsDrawable(double value, bool logarithmic) {
  if (!std::isfinite(value) || std::abs(value) > kLargest) return false;
  return !logarithmic || value >= std::numeric_limits<double>::min();
}

Scale Scale::For(Range range, Kind kind, bool round) {
  if (kind == Kind::kLogarithmic) {
    if (range.empty()) return Scale(0.1, 1, kind);
    double low = std::log10(range.low), high = std::log10(range.high);
    if (high - low < 0.2) {
      low -= 0.1;
      high += 0.1;
    }
    if (round && high - low > 1) {
      low = std::floor(low + 1e-9);
      high = std::ceil(high - 1e-9);
    }
    return Scale(std::pow(10.0, low), std::pow(10.0, high), kind);
  }
  if (range.empty()) return Scale(0, 1, kind);
  double low = range.low, high = range.high;
  const double size = std::max(std::abs(low), std::abs(high));
  if (high - low <= size * 1e-9) {
    const double margin = size == 0 ? 0.5 : size * 0.05;
    low -= margin;
    high += margin;
  }
  if (round) {
    // A curve that comes near zero is read best with zero in sight.
    if (low > 0 && low < 0.4 * high) low = 0;
    const double step = RoundStep((high - low) / 6);
    low = std::floor(low / step + 1e-9) * step;
    high = std::ceil(high / step - 1e-9) * step;
  }
  return Scale(low, high, kind);
}

double Scale::At(double value) const {
  if (kind_ == Kind::kLinear) return (value - low_) / (high_ - low_);
  return (std::log10(value) - std::log10(low_)) / (std::log10(high_) - std::log10(low_));
}

std::vector<Scale::Tick> Scale::Ticks(int most, bool whole) const {
  std::vector<Tick> ticks;
  if (kind_ == Kind::kLinear || high_ < 8 * low_) {
    double step = RoundStep((high_ - low_) / most);
    if (whole) step = std::max(step, 1.0);
    const double first = std::ceil(low_ / step - 1e-9);
    for (int i = 0; i <= most; ++i) {
      const double value = (first + i) * step;
      if (value > high_ + step * 1e-9) break;
      ticks.push_back({value, LinearLabel(value, step)});
    }
    return ticks;
  }
  const double low = std::log10(low_), high = std::log10(high_);
  const int first = static_cast<int>(std::floor(low)), last = static_cast<int>(std::ceil(high));
  const double decades = high - low;
  const int stride = std::max(1, static_cast<int>(std::ceil(decades / (most - 1))));
  for (int exponent = first - (first % stride + stride) % stride; exponent <= last;
       exponent += stride) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor != 1 && decades > 2) break;
      const double at = exponent + std::log10(factor);
      if (at < low - 1e-9 || at > high + 1e-9) continue;
      ticks.push_back({std::pow(10.0, at), LogarithmicLabel(factor, exponent)});
    }
  }
  return ticks;
}

std::string Readable(double value) {
  if (std::isnan(value)) return "–";
  if (std::isinf(value)) return value > 0 ? "∞" : "−∞";
  const double size = std::abs(value);
  if (size >= 1e3 && size < 1e9) return Grouped(fmt::format("{:.0f}", value));
  return fmt::format("{:.4g}", value);
}

std::string Readable(int64_t value) { return Grouped(fmt::format("{}", value)); }

}  // namespace gradus::report
