#include "ir/ops/approx_parts.h"

#include <cmath>

#include "ir/check.h"

namespace gradus::ir::approx {

using loop::Expr;

const FloatFormat& FormatOf(DType dtype) {
  static constexpr FloatFormat kSingle{DType::kI32, 23, 127, INT32_MIN, 0x1.8p23, 0x1p-126};
  static constexpr FloatFormat kDouble{DType::kI64, 52, 1023, INT64_MIN, 0x1.8p52, 0x1p-1022};
  IR_CHECK(IsFloat(dtype));
  return dtype == DType::kF32 ? kSingle : kDouble;
}

Expr Polynomial(Expr x, std::initializer_list<double> coefficients) {
  auto c = coefficients.begin();
  Expr sum = x.Const(*c);
  for (++c; c != coefficients.end(); ++c) sum = Fma(sum, x, x.Const(*c));
  return sum;
}

Expr AtMost(Expr x, double bound) {
  const Expr b = x.Const(bound);
  return Select(Lt(b, x), b, x);
}
Expr AtLeast(Expr x, double bound) {
  const Expr b = x.Const(bound);
  return Select(Lt(x, b), b, x);
}

Expr WithSignOf(Expr x, Expr sign) {
  const FloatFormat& format = FormatOf(x.dtype());
  const Expr bit = And(Bitcast(format.bits, sign), x.IntConst(format.bits, format.sign));
  return Bitcast(x.dtype(), Or(Bitcast(format.bits, x), bit));
}

Expr PowerOfTwo(Expr biased_exponent, DType dtype) {
  const FloatFormat& format = FormatOf(dtype);
  return Bitcast(dtype,
                 Shl(biased_exponent, biased_exponent.IntConst(format.bits, format.mantissa)));
}

// 1. floor(k/2) + bias = (k + 2 bias) >> 1, moved to the exponent field, is the first factor.
// 2. k + 2 bias at the exponent field, less the first factor's bits, is the second: what passes the
// top wraps away.
Expr TimesPowerOfTwo(Expr x, Expr twice_biased_exponent) {
  const FloatFormat& format = FormatOf(x.dtype());
  const Expr mantissa = x.IntConst(format.bits, format.mantissa);
  const Expr half = Shr(twice_biased_exponent, x.IntConst(format.bits, 1));
  const Expr first = Shl(half, mantissa);
  const Expr second = Shl(twice_biased_exponent, mantissa) - first;
  return x * Bitcast(x.dtype(), first) * Bitcast(x.dtype(), second);
}

Rounded RoundScaled(Expr x, double scale, double offset, int fraction) {
  const FloatFormat& format = FormatOf(x.dtype());
  const double shift = std::ldexp(format.round, -fraction) + offset;
  const Expr shifted = Fma(x, scale, shift);
  return {shifted - shift, Bitcast(format.bits, shifted)};
}

Expr SubtractMultipleOfLn2(Expr x, Expr k, double divisor) {
  // Cephes' split for f32 (10 and 24 bits), fdlibm's for f64 (33 and 53 bits).
  const double high = IsF32(x) ? 0.693359375 : 6.93147180369123816490e-01;
  const double low = IsF32(x) ? -2.12194440e-4 : 1.90821492927058770002e-10;
  return Fma(k, x.Const(-low / divisor), Fma(k, x.Const(-high / divisor), x));
}

Expr Exp2Fraction(Expr r) {
  if (IsF32(r)) {  // 1.5e-8
    return Polynomial(r, {1.54763475e-4, 1.34002976e-3, 9.61800385e-3, 5.5503279e-2, 2.40226507e-1,
                          6.93147182e-1, 1.0});
  }
  return Polynomial(r, {2.5741842741226744e-11, 4.4566750939114745e-10, 7.0548882254495814e-9,
                        1.0178051200294359e-7, 1.3215486833128189e-6, 1.525273385625775e-5,
                        1.5403530393341005e-4, 1.3333558146390418e-3, 9.618129107628496e-3,
                        5.5504108664821701e-2, 2.4022650695910072e-1, 6.9314718055994529e-1, 1.0});
}

}  // namespace gradus::ir::approx
