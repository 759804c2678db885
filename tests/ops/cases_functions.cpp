// Rows: elementary functions. Bounds in ulp are those that ir/ops/approx.h promises, plus the half
// ulp of the reference.

#include <cmath>
#include <limits>

#include "tests/ops/cases_elementwise.h"

namespace gradus::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

const std::vector<Refused> kRefusedOne = {
    {{I32({2})}, {}, "takes f32 or f64, got i32"},
    {{F32({2}), F32({2})}, {}, "takes 1 operands, got 2"},
};

OpCase Function(std::string_view name, double (*f)(double), Domain domain, Tolerance tolerance,
                std::vector<Special> specials) {
  return {.name = name,
          .samples = Floats(1),
          .domains = {domain},
          .reference = Each(f),
          .f32 = tolerance,
          .f64 = tolerance,
          .refused = kRefusedOne,
          .specials = std::move(specials)};
}

double Sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

}  // namespace

std::vector<OpCase> FunctionCases() {
  std::vector<OpCase> cases;
  cases.push_back(Function(
      "exp", std::exp, {-10, 10}, {3},
      {{{0}, 1}, {{-kInf}, 0}, {{kInf}, kInf}, {{kNan}, kNan}, {{1000}, kInf}, {{-1000}, 0}}));
  cases.push_back(
      Function("expm1", std::expm1, {-3, 3}, {4},
               {{{0}, 0}, {{-0.0}, -0.0}, {{-kInf}, -1}, {{kInf}, kInf}, {{kNan}, kNan}}));
  cases.push_back(Function("log", std::log, {0.01, 20}, {3},
                           {{{1}, 0}, {{0}, -kInf}, {{kInf}, kInf}, {{-1}, kNan}, {{kNan}, kNan}}));
  cases.push_back(
      Function("log1p", std::log1p, {-0.9, 5}, {4},
               {{{0}, 0}, {{-0.0}, -0.0}, {{-1}, -kInf}, {{kInf}, kInf}, {{-2}, kNan}}));
  cases.push_back(Function("sqrt", std::sqrt, {0.1, 20}, {0.51},
                           {{{0}, 0}, {{-0.0}, -0.0}, {{4}, 2}, {{-1}, kNan}, {{kInf}, kInf}}));
  cases.push_back(Function("rsqrt", [](double x) { return 1 / std::sqrt(x); }, {0.1, 20}, {2},
                           {{{0}, kInf}, {{4}, 0.5}, {{-1}, kNan}, {{kInf}, 0}}));
  cases.push_back(Function("sin", std::sin, {-6, 6}, {4},
                           {{{0}, 0}, {{-0.0}, -0.0}, {{kInf}, kNan}, {{kNan}, kNan}}));
  cases.push_back(
      Function("cos", std::cos, {-6, 6}, {4}, {{{0}, 1}, {{kInf}, kNan}, {{kNan}, kNan}}));
  cases.push_back(Function("tan", std::tan, {-1.4, 1.4}, {6},
                           {{{0}, 0}, {{-0.0}, -0.0}, {{kInf}, kNan}, {{kNan}, kNan}}));
  cases.push_back(
      Function("atan", std::atan, {-6, 6}, {3}, {{{0}, 0}, {{-0.0}, -0.0}, {{kNan}, kNan}}));
  cases.push_back(Function("asin", std::asin, {-0.95, 0.95}, {5},
                           {{{0}, 0}, {{-0.0}, -0.0}, {{1.5}, kNan}, {{-1.5}, kNan}}));
  cases.push_back(Function("acos", std::acos, {-0.95, 0.95}, {5},
                           {{{1}, 0}, {{1.5}, kNan}, {{-1.5}, kNan}, {{kNan}, kNan}}));
  cases.push_back(Function("sinh", std::sinh, {-4, 4}, {6},
                           {{{0}, 0},
                            {{-0.0}, -0.0},
                            {{kInf}, kInf},
                            {{-kInf}, -kInf},
                            {{1000}, kInf},
                            {{kNan}, kNan}}));
  cases.push_back(Function("cosh", std::cosh, {-4, 4}, {6},
                           {{{0}, 1}, {{kInf}, kInf}, {{-kInf}, kInf}, {{kNan}, kNan}}));
  cases.push_back(
      Function("tanh", std::tanh, {-4, 4}, {4},
               {{{0}, 0}, {{-0.0}, -0.0}, {{kInf}, 1}, {{-kInf}, -1}, {{100}, 1}, {{kNan}, kNan}}));
  cases.push_back(
      Function("sigmoid", Sigmoid, {-8, 8}, {4},
               {{{0}, 0.5}, {{kInf}, 1}, {{-kInf}, 0}, {{1000}, 1}, {{-1000}, 0}, {{kNan}, kNan}}));
  cases.push_back(Function("erf", std::erf, {-3, 3}, {4},
                           {{{0}, 0}, {{-0.0}, -0.0}, {{kInf}, 1}, {{-kInf}, -1}, {{kNan}, kNan}}));
  cases.push_back(
      {.name = "pow",
       .samples = Floats(2),
       .domains = {{0.2, 4}, {-3, 3}},
       .reference = Each([](double a, double b) { return std::pow(a, b); }),
       .f32 = {4},
       .f64 = {4},
       .refused = {{{I32({2}), I32({2})}, {}, "takes f32 or f64, got i32"},
                   {{F32({2}), F32({3})}, {}, "[2] and [3] do not line up (axis 0: 2, 3)"}},
       .specials = {{{0, 0}, 1},
                    {{-2, 3}, -8},
                    {{-2, 2}, 4},
                    {{-2, 0.5}, kNan},
                    {{0, -1}, kInf},
                    {{0, 2}, 0},
                    {{1, kNan}, 1},
                    {{kNan, 0}, 1},
                    {{2, kInf}, kInf},
                    {{0.5, kInf}, 0}}});
  return cases;
}

}  // namespace gradus::test
