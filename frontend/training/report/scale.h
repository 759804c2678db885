#pragma once

// Axes of charts: from values to places along an axis, and the round values that are written at it.

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace gradus::report {

// The least and the largest value that a chart has to show.
struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void Add(double value);
  bool empty() const { return low > high; }
};

// Whether a chart can show the value: NaN and infinities are gaps, and so is, on a logarithmic
// axis, what is not above zero.
bool IsDrawable(double value, bool logarithmic);

class Scale {
 public:
  enum class Kind { kLinear, kLogarithmic };
  // What leaves room to `range`: ends on round values if `round`, never of no length. A range
  // without values gives 0 to 1, or 0.1 to 1.
  static Scale For(Range range, Kind kind, bool round);

  // 0 at the low end, 1 at the high one.
  double At(double value) const;
  double low() const { return low_; }
  double high() const { return high_; }
  bool logarithmic() const { return kind_ == Kind::kLogarithmic; }

  struct Tick {
    double value;
    std::string label;
  };
  // Round values, at most about `most`: 1, 2 or 5 times a power of ten apart; on a logarithmic axis
  // powers of ten, with 2 and 5 times those where it is short, and as on a linear one where it is
  // shorter still. `whole`: whole numbers only.
  std::vector<Tick> Ticks(int most, bool whole = false) const;

 private:
  Scale(double low, double high, Kind kind) : low_(low), high_(high), kind_(kind) {}
  double low_, high_;
  Kind kind_;
};

// A number for people: four significant digits, 12,000 with commas, 1.2e-07 where it must be;
// a dash if it is NaN.
std::string Readable(double value);
// With commas: 12,000.
std::string Readable(int64_t value);

}  // namespace gradus::report
