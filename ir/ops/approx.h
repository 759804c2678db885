#pragma once

// Transcendental functions, expanded from the arithmetic of loop::Expr: they vectorise like anything else and leave no
// maths library behind. Every function takes f32 or f64 and answers in the dtype of its operand.
//
// Where single rounding buys accuracy the formulas use Fma. A target without a fused multiply-add may round twice: the
// results then lose a few ulp (the bounds below are for fused arithmetic) but stay right in every special case.
// NaN in, NaN out; signed zeros, infinities, overflow and gradual underflow are those of C's <math.h>.

#include <array>

#include "ir/loop/scalar.h"

namespace gradus::ir::approx {

loop::Expr Exp(loop::Expr x);
loop::Expr Expm1(loop::Expr x);
loop::Expr Log(loop::Expr x);
loop::Expr Log1p(loop::Expr x);
loop::Expr Tanh(loop::Expr x);
loop::Expr Sigmoid(loop::Expr x);  // 1 / (1 + exp(-x))
loop::Expr Erf(loop::Expr x);
loop::Expr Sin(loop::Expr x);
loop::Expr Cos(loop::Expr x);
loop::Expr Pow(loop::Expr x, loop::Expr y);  // C's pow
loop::Expr Rsqrt(loop::Expr x);              // 1 / sqrt(x)

}  // namespace gradus::ir::approx
