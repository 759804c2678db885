#pragma once

// What the approximations share: floats taken apart into bits, polynomials, clamps that let NaN
// through. Private to ir/ops/approx_*.cpp.

#include <initializer_list>

#include "ir/loop/scalar.h"

namespace gradus::ir::approx {

// The binary interchange format of a float dtype (IEEE 754).
struct FloatFormat {
  DType bits;       // integer dtype of the same size
  int mantissa;     // stored bits: 23 or 52
  int64_t bias;     // of the exponent: 127 or 1023
  int64_t sign;     // the sign bit
  double round;     // 1.5 * 2^mantissa: t + round has the nearest integer to t in its low bits
  double smallest;  // normal number
};
const FloatFormat& FormatOf(DType dtype);

inline bool IsF32(loop::Expr x) { return x.dtype() == DType::kF32; }

// Horner's rule, highest coefficient first.
loop::Expr Polynomial(loop::Expr x, std::initializer_list<double> coefficients);

// min(x, bound) and max(x, bound) that give x where it is NaN: one instruction on x86, unlike kMin
// and kMax.
loop::Expr AtMost(loop::Expr x, double bound);
loop::Expr AtLeast(loop::Expr x, double bound);

// x >= 0 with the sign bit of `sign` set on top.
loop::Expr WithSignOf(loop::Expr x, loop::Expr sign);

// 2^k as a float from an integer that holds k + bias in its low bits (8 or 11, the next one 0).
loop::Expr PowerOfTwo(loop::Expr biased_exponent, DType dtype);

// x * 2^k for a normal x near 1, from an integer that holds k + 2 bias in its low bits. The power
// is the product of two factors, so that a result below the smallest normal number is rounded once,
// by the last multiplication.
loop::Expr TimesPowerOfTwo(loop::Expr x, loop::Expr twice_biased_exponent);

// round(x * scale) + offset, both as a float (`number`, without the offset) and in the low bits of
// an integer (`bits`), to a whole number or, with `fraction`, one with so many bits behind the
// point. Valid below 2^22 (f32) or 2^51 (f64) in size, by 2^fraction less; NaN gives NaN and
// arbitrary bits.
struct Rounded {
  loop::Expr number, bits;
};
Rounded RoundScaled(loop::Expr x, double scale, double offset, int fraction = 0);

// x - k * ln(2) / divisor for k up to 2^11: Cody and Waite, "Software Manual for the Elementary
// Functions", 1980. The first part of ln(2) has few enough bits for an exact product, so a target
// without fused arithmetic loses nothing.
loop::Expr SubtractMultipleOfLn2(loop::Expr x, loop::Expr k, double divisor = 1);

// exp without a table, for what squares it: most of its results are closer than those of the table.
loop::Expr PolynomialExp(loop::Expr x);

// 2^r for |r| <= 0.5, from minimax polynomials of our own fit (approx_fit.py).
loop::Expr Exp2Fraction(loop::Expr r);

}  // namespace gradus::ir::approx
