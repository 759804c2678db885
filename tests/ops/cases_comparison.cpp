// Rows: comparisons, logic, select, cast, stop_gradient, by_phase.

#include <cmath>
#include <limits>

#include "tests/ops/cases_elementwise.h"

namespace gradus::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Few different numbers, so that many pairs are equal.
constexpr Domain kCoarse{.low = -2, .high = 2, .grid = 1};
constexpr Domain kBits{.low = 0, .high = 1.99, .grid = 1};

OpCase Comparison(std::string_view name, double (*f)(double, double), bool beside_nan) {
  return {.name = name,
          .samples = Numbers(2),
          .domains = {kCoarse},
          .reference = EachTo(DType::kI1, f),
          .gradient = Gradient::kNone,
          .refused = {{{F32({2}), F32({3})}, {}, "[2] and [3] do not line up (axis 0: 2, 3)"},
                      {{F32({2}), I32({2})}, {}, "f32 and i32 are different element types"}},
          .specials = {{{kNan, 1}, beside_nan ? 1.0 : 0.0},
                       {{1, kNan}, beside_nan ? 1.0 : 0.0},
                       {{0.0, -0.0}, f(0, 0)},
                       {{-kInf, kInf}, f(-1, 1)}}};
}

OpCase Logic(std::string_view name, double (*f)(double, double)) {
  return {.name = name,
          .samples = [](DType) { return Elementwise({DType::kI1, DType::kI1}); },
          .domains = {kBits},
          .reference = EachTo(DType::kI1, f),
          .gradient = Gradient::kNone,
          .refused = {{{F32({2}), F32({2})}, {}, "takes i1, got f32"}},
          .specials = {},
          .floats = false};
}

Array SelectReference(const Given& g) {
  return Filled(g.operands[1].dtype, g.operands[1].shape, [&](const Sizes& i) {
    return g.operands[0].at(i) != 0 ? g.operands[1].at(i) : g.operands[2].at(i);
  });
}

// Truncates and saturates; NaN gives 0.
double CastTo(DType to, double x) {
  switch (to) {
    case DType::kI1: return x != 0 ? 1 : 0;
    case DType::kI32:
      return std::isnan(x) ? 0 : std::trunc(std::fmin(std::fmax(x, -0x1p31), 0x1p31 - 1));
    case DType::kI64: return std::isnan(x) ? 0 : std::trunc(x);
    case DType::kF32: return static_cast<double>(static_cast<float>(x));
    case DType::kF64: return x;
  }
  return x;
}

std::vector<Sample> CastSamples(DType to) {
  std::vector<Sample> samples;
  for (const DType from : {DType::kI1, DType::kI32, DType::kI64, DType::kF32, DType::kF64}) {
    samples.push_back({{{from, {ir::Dim(kB), 3}}}, {{"dtype", to}}, {0, 1, 8, 17}});
    samples.push_back({{{to, {5}}}, {{"dtype", from}}});
  }
  samples.push_back({{{to, {}}}, {{"dtype", DType::kI32}}});
  return samples;
}

}  // namespace

std::vector<OpCase> ComparisonCases() {
  std::vector<OpCase> cases;
  cases.push_back(
      Comparison("equal", [](double a, double b) { return a == b ? 1.0 : 0.0; }, false));
  cases.push_back(
      Comparison("not_equal", [](double a, double b) { return a != b ? 1.0 : 0.0; }, true));
  cases.push_back(Comparison("less", [](double a, double b) { return a < b ? 1.0 : 0.0; }, false));
  cases.push_back(
      Comparison("less_equal", [](double a, double b) { return a <= b ? 1.0 : 0.0; }, false));
  cases.push_back(
      Comparison("greater", [](double a, double b) { return a > b ? 1.0 : 0.0; }, false));
  cases.push_back(
      Comparison("greater_equal", [](double a, double b) { return a >= b ? 1.0 : 0.0; }, false));
  for (OpCase& c : cases) {  // equality is for i1, too; order is not
    const bool any = c.name == "equal" || c.name == "not_equal";
    if (!any) c.refused.push_back({{I1({2}), I1({2})}, {}, "takes f32, f64, i32 or i64, got i1"});
    if (!any) continue;
    c.specials.push_back({{1, 0}, c.name == "equal" ? 0.0 : 1.0, DType::kI1});
    c.specials.push_back({{0, 0}, c.name == "equal" ? 1.0 : 0.0, DType::kI1});
  }
  cases.push_back(Logic("logical_and", [](double a, double b) { return a * b; }));
  cases.push_back(Logic("logical_or", [](double a, double b) { return std::fmax(a, b); }));
  cases.push_back({.name = "logical_not",
                   .samples = [](DType) { return Elementwise({DType::kI1}); },
                   .domains = {kBits},
                   .reference = Each([](double x) { return 1 - x; }),
                   .gradient = Gradient::kNone,
                   .refused = {{{I32({2})}, {}, "takes i1, got i32"}},
                   .specials = {},
                   .floats = false});
  cases.push_back(
      {.name = "select",
       .samples = [](DType d) { return Elementwise({DType::kI1, d, d}); },
       .domains = {kBits, {}, {}},
       .reference = SelectReference,
       .refused = {{{F32({2}), F32({2}), F32({2})}, {}, "takes i1, got f32"},
                   {{I1({2}), F32({2}), F64({2})}, {}, "f32 and f64 are different element types"},
                   {{I1({3}), F32({2}), F32({2})},
                    {},
                    "[3] and [2] do not line up (axis 0: 3, 2)"}},
       .specials = {}});
  cases.push_back({.name = "cast",
                   .samples = CastSamples,
                   .domains = {{.low = 0, .high = 6, .grid = 0.25}},
                   .reference =
                       [](const Given& g) {
                         const DType to = g.attr<DType>("dtype");
                         return Filled(to, g.operands[0].shape, [&](const Sizes& i) {
                           return CastTo(to, g.operands[0].at(i));
                         });
                       },
                   .refused = {{{F32({2})}, {}, "attribute dtype is missing"},
                               {{F32({2})},
                                {{"dtype", int64_t{1}}},
                                "attribute dtype has the wrong kind of value"}},
                   .specials = {},
                   .second_order = false});
  cases.push_back({.name = "stop_gradient",
                   .samples = Floats(1),
                   .domains = {{}},
                   .reference = Each([](double x) { return x; }),
                   .gradient = Gradient::kZero,
                   .refused = {{{}, {}, "takes 1 operands, got 0"}},
                   .specials = {{{-0.0}, -0.0}, {{kNan}, kNan}}});
  cases.push_back(
      {.name = "by_phase",
       .samples = Floats(2),
       .domains = {{}},
       .reference = Each([](double, double otherwise) { return otherwise; }),
       .refused = {{{F32({2}), F64({2})}, {}, "f32 and f64 are different element types"},
                   {{F32({2}), F32({3})}, {}, "[2] and [3] do not line up (axis 0: 2, 3)"}},
       .specials = {{{kNan, -0.0}, -0.0}}});
  return cases;
}

}  // namespace gradus::test
