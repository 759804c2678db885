// Rows: arithmetic and piecewise linear ops.

#include <cmath>
#include <limits>

#include "tests/ops/cases_elementwise.h"

namespace gradus::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Multiples of 1/8: sums and products are exact, so references agree to the bit.
constexpr Domain kGrid{.low = -4, .high = 4, .grid = 0.125};
constexpr Domain kOffGrid{.low = -4, .high = 4, .grid = 0.125, .phase = 0.0625};

const std::vector<Refused> kRefusedPairs = {
    {{F32({ir::Dim(kB), 32}), F32({ir::Dim(kB), 48, 32})},
     {},
     "[B, 32] and [B, 48, 32] do not line up (2 axes, 3 axes)"},
    {{F32({2, 3}), F32({2, 4})}, {}, "[2, 3] and [2, 4] do not line up (axis 1: 3, 4)"},
    {{F32({2}), F64({2})}, {}, "f32 and f64 are different element types"},
    {{I1({2}), I1({2})}, {}, "takes f32, f64, i32 or i64, got i1"},
    {{F32({2})}, {}, "takes 2 operands, got 1"},
};
const std::vector<Refused> kRefusedOne = {
    {{I1({2})}, {}, "takes f32, f64, i32 or i64, got i1"},
};

double Maximum(double a, double b) { return std::isnan(a) || std::isnan(b) ? kNan : a > b ? a : b; }
double Minimum(double a, double b) { return std::isnan(a) || std::isnan(b) ? kNan : a < b ? a : b; }

// C++'s division, but 0 by 0 and truncation for integers.
Array Quotient(const Given& g) {
  const bool integer = ir::IsInteger(g.dtype());
  const double least = g.dtype() == DType::kI32 ? -0x1p31 : -0x1p63;
  return Filled(g.dtype(), g.operands[0].shape, [&](const Sizes& i) {
    const double a = g.operands[0].at(i), b = g.operands[1].at(i);
    if (!integer) return a / b;
    if (b == 0) return 0.0;
    if (a == least && b == -1) return least;
    const int64_t quotient = static_cast<int64_t>(a) / static_cast<int64_t>(b);
    return static_cast<double>(quotient);
  });
}

}  // namespace

std::function<Array(const Given&)> Each(double (*f)(double)) {
  return [f](const Given& g) {
    return Filled(g.dtype(), g.operands[0].shape,
                  [&](const Sizes& i) { return f(g.operands[0].at(i)); });
  };
}

std::function<Array(const Given&)> Each(double (*f)(double, double)) {
  return [f](const Given& g) {
    return Filled(g.dtype(), g.operands[0].shape,
                  [&](const Sizes& i) { return f(g.operands[0].at(i), g.operands[1].at(i)); });
  };
}

std::function<Array(const Given&)> EachTo(DType to, double (*f)(double, double)) {
  return [to, f](const Given& g) {
    return Filled(to, g.operands[0].shape,
                  [&](const Sizes& i) { return f(g.operands[0].at(i), g.operands[1].at(i)); });
  };
}

std::function<std::vector<Sample>(DType)> Floats(int operands) {
  return [operands](DType d) {
    return Elementwise(std::vector<DType>(static_cast<size_t>(operands), d));
  };
}

std::function<std::vector<Sample>(DType)> Numbers(int operands) {
  return [operands](DType d) {
    std::vector<Sample> samples = Elementwise(std::vector<DType>(static_cast<size_t>(operands), d));
    if (d != DType::kF32) return samples;
    for (const DType integer : {DType::kI32, DType::kI64}) {
      Sample s{.operands = {}, .attrs = {}, .batch = {1, 16, 17}};
      for (int i = 0; i < operands; ++i) s.operands.push_back({integer, {ir::Dim(kB), 2}});
      samples.push_back(s);
    }
    return samples;
  };
}

std::vector<OpCase> ArithmeticCases() {
  std::vector<OpCase> cases;
  cases.push_back({.name = "add",
                   .samples = Numbers(2),
                   .domains = {kGrid},
                   .reference = Each([](double a, double b) { return a + b; }),
                   .refused = kRefusedPairs,
                   .specials = {{{-0.0, -0.0}, -0.0},
                                {{kInf, -kInf}, kNan},
                                {{0x1.fffffep127, 0x1.fffffep127}, kInf, DType::kF32},
                                {{0x7fffffff, 1}, -0x1p31, DType::kI32}}});
  cases.push_back({.name = "sub",
                   .samples = Numbers(2),
                   .domains = {kGrid},
                   .reference = Each([](double a, double b) { return a - b; }),
                   .refused = kRefusedPairs,
                   .specials = {{{0.0, 0.0}, 0.0}, {{-0.0, 0.0}, -0.0}, {{kInf, kInf}, kNan}}});
  cases.push_back({.name = "mul",
                   .samples = Numbers(2),
                   .domains = {kGrid},
                   .reference = Each([](double a, double b) { return a * b; }),
                   .refused = kRefusedPairs,
                   .specials = {{{0.0, kInf}, kNan}, {{-0.0, 2}, -0.0}, {{0.0, kNan}, kNan}}});
  cases.push_back({.name = "div",
                   .samples = Numbers(2),
                   .domains = {kGrid, {.low = 0.5, .high = 4}},
                   .reference = Quotient,
                   .f32 = {0.51, 0},
                   .f64 = {0.51, 0},
                   .refused = kRefusedPairs,
                   .specials = {{{1, 0.0}, kInf},
                                {{1, -0.0}, -kInf},
                                {{0, 0}, kNan},
                                {{7, 0}, 0, DType::kI32},
                                {{-0x1p31, -1}, -0x1p31, DType::kI32},
                                {{-0x1p63, -1}, -0x1p63, DType::kI64},
                                {{-7, 2}, -3, DType::kI32},
                                {{7, -2}, -3, DType::kI64},
                                {{0, 0}, 0, DType::kI64}}});
  cases.push_back(
      {.name = "neg",
       .samples = Numbers(1),
       .domains = {kGrid},
       .reference =
           [](const Given& g) {
             const bool integer = ir::IsInteger(g.dtype());  // which have no -0
             return Filled(g.dtype(), g.operands[0].shape, [&](const Sizes& i) {
               return integer ? 0 - g.operands[0].at(i) : -g.operands[0].at(i);
             });
           },
       .refused = kRefusedOne,
       .specials = {
           {{0.0}, -0.0}, {{-0.0}, 0.0}, {{kInf}, -kInf}, {{-0x1p31}, -0x1p31, DType::kI32}}});
  cases.push_back(
      {.name = "maximum",
       .samples = Numbers(2),
       .domains = {kGrid, kOffGrid},
       .reference = Each(Maximum),
       .refused = kRefusedPairs,
       .specials = {{{kNan, 1}, kNan}, {{1, kNan}, kNan}, {{-kInf, 1}, 1}, {{3, 3}, 3}}});
  cases.push_back(
      {.name = "minimum",
       .samples = Numbers(2),
       .domains = {kGrid, kOffGrid},
       .reference = Each(Minimum),
       .refused = kRefusedPairs,
       .specials = {{{kNan, 1}, kNan}, {{1, kNan}, kNan}, {{-kInf, 1}, -kInf}, {{3, 3}, 3}}});
  cases.push_back({.name = "abs",
                   .samples = Numbers(1),
                   .domains = {kOffGrid},
                   .reference = Each([](double x) { return std::fabs(x); }),
                   .refused = kRefusedOne,
                   .specials = {{{-0.0}, 0.0},
                                {{-kInf}, kInf},
                                {{kNan}, kNan},
                                {{-5}, 5, DType::kI32},
                                {{-0x1p63}, -0x1p63, DType::kI64}}});
  cases.push_back(
      {.name = "sign",
       .samples = Numbers(1),
       .domains = {{.low = -2, .high = 2, .grid = 0.25, .zeros = 0.2}},
       .reference = Each([](double x) { return x > 0   ? 1.0
                                               : x < 0 ? -1.0
                                                       : x; }),
       .gradient = Gradient::kRefused,
       .refused = kRefusedOne,
       .specials = {{{kNan}, kNan}, {{-kInf}, -1}, {{-0.0}, -0.0}, {{-9}, -1, DType::kI64}}});
  cases.push_back(
      {.name = "floor",
       .samples = Numbers(1),
       .domains = {kGrid},
       .reference = Each([](double x) { return std::floor(x); }),
       .gradient = Gradient::kRefused,
       .refused = kRefusedOne,
       .specials = {
           {{-0.5}, -1}, {{kInf}, kInf}, {{kNan}, kNan}, {{-0.0}, -0.0}, {{0x1p60}, 0x1p60}}});
  return cases;
}

}  // namespace gradus::test
