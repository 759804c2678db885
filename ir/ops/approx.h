#pragma once

// Transcendental functions, expanded from the arithmetic of loop::Expr: they vectorise like
// anything else and leave no maths library behind. Every function takes f32 or f64 and answers in
// the dtype of its operand.
//
// NaN in, NaN out; signed zeros, infinities, overflow and gradual underflow are those of C's
// <math.h>. Formulas use Fma where single rounding buys accuracy. Without a fused multiply-add the
// bounds below hold all the same but for sin and cos (f32: 2.1 up to |x| = 1000, then less next to
// multiples of pi / 2) and pow of f64 (a thousand); special cases do not change. Never let a
// compiler contract or reassociate these formulas: some of their terms are rounding errors.
//
// Errors stay below these bounds, in units in the last place. f32: every input tried down to
// sigmoid in the table, every 101st of erf, sin, cos and rsqrt, two million samples of pow. f64:
// two million samples. Beside them the number of scalar operations (bit casts cost nothing):
//
//              f32     f64    operations f32 / f64
//   exp        1.0     1.05     21 / 26    f32 with tables (Arena::has_tables) 20, and as exact
//   expm1      1.44    1.9      22 / 27
//   log        0.83    0.83     32 / 35
//   log1p      1.4     1.4      34 / 37
//   tanh       2.42    2.6      21 / 26
//   sigmoid    2.5     2.25     18 / 23
//   erf        1.1     1.3      33 / 55    f32 with tables 46, with the 21 of an exp that its gradient
//                                          has, too
//   sin, cos   1.8     2.5      20 / 24    |x| <= 1e5; further out accuracy fades, |result| <= 1
//   pow        0.51    1.0      62 / 123   0 to 6 for constants 0, 1, 2, 3, -1, 0.5, -0.5
//   rsqrt      1.5     1.5       2 /   2
//
// Made of these: tan, asin, acos, sinh, cosh. f32, of a million inputs: tan 3 (|x| <= 1e5), atan 2,
// asin 2.7, acos 2.4, sinh 3.4, cosh 2.9. f64, at the op table's samples: 6.

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
loop::Expr Tan(loop::Expr x);
loop::Expr Atan(loop::Expr x);
loop::Expr Asin(loop::Expr x);
loop::Expr Acos(loop::Expr x);
loop::Expr Sinh(loop::Expr x);
loop::Expr Cosh(loop::Expr x);
loop::Expr Pow(loop::Expr x, loop::Expr y);
loop::Expr Rsqrt(loop::Expr x);

}  // namespace gradus::ir::approx
