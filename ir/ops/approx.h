#pragma once

// Transcendental functions, expanded from the arithmetic of loop::Expr: they vectorise like anything else and leave no
// maths library behind. Every function takes f32 or f64 and answers in the dtype of its operand.
//
// NaN in, NaN out; signed zeros, infinities, overflow and gradual underflow are those of C's <math.h>. Formulas use Fma
// where single rounding buys accuracy. A target without a fused multiply-add may round twice: that costs a few ulp (pow
// of f64: up to a thousand), never a special case.
//
// Beside each function: largest error found, in units in the last place of f32 (every input tried) and f64 (samples), and
// the number of scalar operations.

#include "ir/loop/scalar.h"

namespace gradus::ir::approx {

loop::Expr Exp(loop::Expr x);
loop::Expr Expm1(loop::Expr x);
loop::Expr Log(loop::Expr x);
loop::Expr Log1p(loop::Expr x);
loop::Expr Tanh(loop::Expr x);
loop::Expr Sigmoid(loop::Expr x);
loop::Expr Erf(loop::Expr x);
loop::Expr Sin(loop::Expr x);
loop::Expr Cos(loop::Expr x);
loop::Expr Pow(loop::Expr x, loop::Expr y);
loop::Expr Rsqrt(loop::Expr x);

}  // namespace gradus::ir::approx
