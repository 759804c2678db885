// sin and cos: x = n pi + r, or (n + 1/2) pi + r for cos, with |r| <= pi/2, is the sine of r with a
// sign. One polynomial serves both, and results next to a zero keep their relative accuracy.

#include "ir/ops/approx.h"
#include "ir/ops/approx_parts.h"

namespace gradus::ir::approx {

using loop::Expr;

namespace {

constexpr double kInversePi = 0.31830988618379067;

// x - n pi after Cody and Waite, pi in four parts. The first two are short, so that their products
// are exact for n < 2^14 (f32) or 2^23 (f64) even without fused arithmetic. All parts are positive,
// so that -0 stays -0.
Expr SubtractMultipleOfPi(Expr x, Expr n) {
  static constexpr double kSingle[] = {0x1.92p+1, 0x1.fbp-11, 0x1.5110b4p-21, 0x1.846988p-47};
  static constexpr double kDouble[] = {0x1.921fb54p+1, 0x1.10b46118p-29, 0x1.313198a2e037p-60,
                                       0x1.cd129024e088ap-114};
  for (const double part : IsF32(x) ? kSingle : kDouble) x = Fma(n, x.Const(-part), x);
  return x;
}

// sin(r) with the bits of n deciding the sign; minimax fits of our own (approx_fit.py) for |r| <=
// pi/2.
Expr SignedSine(Expr r, Expr n_bits) {
  const FloatFormat& format = FormatOf(r.dtype());
  const Expr z = r * r;
  const Expr p =
      IsF32(r)
          ? Polynomial(z, {2.60605361e-6, -1.98097681e-4, 8.33306927e-3, -1.66666597e-1})
          : Polynomial(z, {2.7214179194745929e-15, -7.6430192478467827e-13, 1.6058940998335756e-10,
                           -2.5052106904353257e-8, 2.7557319211568813e-6, -1.9841269841212476e-4,
                           8.3333333333332066e-3, -1.6666666666666666e-1});
  // The clamp is for rounding next to 1, and for r beyond the documented range, where it is
  // meaningless.
  const Expr sine = AtMost(AtLeast(Fma(r, z * p, r), -1), 1);
  const Expr sign = Shl(n_bits, r.IntConst(format.bits, format.bits == DType::kI32 ? 31 : 63));
  return Bitcast(r.dtype(), Xor(Bitcast(format.bits, sine), sign));
}

}  // namespace

Expr Sin(Expr x) {
  const Rounded n = RoundScaled(x, kInversePi, 0);
  const Expr sine = SignedSine(SubtractMultipleOfPi(x, n.number), n.bits);
  return Select(Eq(x, x.Const(0)), x, sine);
}

Expr Cos(Expr x) {
  // n + 1/2 nearest to x / pi; cos(x) = -(-1)^n sin(r), so the bits hold n + 1.
  const FloatFormat& format = FormatOf(x.dtype());
  const double shift = format.round + 1;
  const Expr shifted = Fma(x, kInversePi, -0.5) + shift;
  const Expr half_integer = (shifted - shift) + 0.5;
  return SignedSine(SubtractMultipleOfPi(x, half_integer), Bitcast(format.bits, shifted));
}

}  // namespace gradus::ir::approx
