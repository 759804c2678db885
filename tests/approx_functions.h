#pragma once

// Transcendental ops with their references in double, and the accuracy that ir/ops/approx.h states
// for each: what native code is held to on every target.

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>

#include "frontend/gradus.h"

namespace gradus::tests {

struct Function {
  const char* name;
  Tensor (*op)(Operand);
  double (*reference)(double);
  double bound;  // units in the last place of f32
  double domain = std::numeric_limits<double>::infinity();
};

inline void PrintTo(const Function& function, std::ostream* out) { *out << function.name; }

inline double SigmoidReference(double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

inline const Function kFunctions[] = {
    {"exp", exp, std::exp, 1.0},      {"expm1", expm1, std::expm1, 1.44},
    {"log", log, std::log, 0.83},     {"log1p", log1p, std::log1p, 1.4},
    {"tanh", tanh, std::tanh, 2.42},  {"sigmoid", sigmoid, SigmoidReference, 2.5},
    {"erf", erf, std::erf, 1.1},      {"sin", sin, std::sin, 1.8, 1e5},
    {"cos", cos, std::cos, 1.8, 1e5}, {"tan", tan, std::tan, 3.0, 1e5},
    {"atan", atan, std::atan, 2.0},   {"asin", asin, std::asin, 2.7},
    {"acos", acos, std::acos, 2.4},   {"sinh", sinh, std::sinh, 3.4},
    {"cosh", cosh, std::cosh, 2.9},
};

// Without fused arithmetic the reduction modulo pi is exact for smaller numbers only.
struct Accuracy {
  double domain = 0, bound = 0;
};
inline Accuracy AccuracyOf(const Function& function, const ir::Target& target) {
  const bool is_reduced = std::isfinite(function.domain) && !target.has_fma;
  return {is_reduced ? 1000 : function.domain,
          is_reduced ? std::max(2.1, function.bound) : function.bound};
}

// A reference in double is exact enough to judge f32 by. A result that should overflow or vanish
// must do just that, or be the number next to it.
inline double UlpError(float got, double want) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : INFINITY;
  if (std::signbit(got) != std::signbit(want)) return INFINITY;
  if (std::isinf(want)) return std::isinf(got) ? 0 : INFINITY;
  constexpr double kOverflow = 0x1.ffffffp127;  // from here on f32 rounds to infinity
  if (std::isinf(got)) return std::fabs(want) >= kOverflow * (1 - 0x1p-23) ? 0 : INFINITY;
  if (std::fabs(want) >= kOverflow * (1 + 0x1p-23)) return INFINITY;
  int exponent = 0;
  std::frexp(want, &exponent);
  const int spacing = std::max(want == 0 ? -149 : exponent - 24, -149);
  return std::fabs(got - want) / std::ldexp(1.0, spacing);
}

}  // namespace gradus::tests
