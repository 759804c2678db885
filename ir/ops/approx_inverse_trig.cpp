// atan, asin, acos; tan, sinh and cosh from what there is.
//
// atan: the argument is brought into [0, tan(pi/8)] by atan(x) = pi/2 - atan(1/x) beyond
// tan(3 pi/8) and atan(x) = pi/4 + atan((x - 1) / (x + 1)) in between (Moshier, "Methods and
// Programs for Mathematical Functions", 1989), with one division for all three.

#include "ir/ops/approx.h"
#include "ir/ops/approx_parts.h"

namespace gradus::ir::approx {

using loop::Expr;

Expr Atan(Expr x) {
  constexpr double kTanPiOver8 = 0.41421356237309503, kTan3PiOver8 = 2.4142135623730949;
  constexpr double kPiOver2 = 1.5707963267948966, kPiOver2Low = 6.123233995736766e-17;
  constexpr double kPiOver2Single = 0x1.921fb6p+0, kPiOver2SingleLow = -4.37113883e-8;
  const bool single = IsF32(x);
  const double high = single ? kPiOver2Single : kPiOver2;
  const double low = single ? kPiOver2SingleLow : kPiOver2Low;

  const Expr a = Abs(x);
  const Expr far = Lt(x.Const(kTan3PiOver8), a), middle = Lt(x.Const(kTanPiOver8), a);
  const Expr numerator = Select(far, x.Const(-1), Select(middle, a - 1, a));
  const Expr denominator = Select(far, a, Select(middle, a + 1, x.Const(1)));
  const Expr t = numerator / denominator;
  const auto offset = [&](double full) {
    return Select(far, x.Const(full), Select(middle, x.Const(full / 2), x.Const(0)));
  };
  const Expr z = t * t;
  // Minimax fits of our own (approx_fit.py).
  const Expr p =
      single ? Polynomial(z, {0.080604203, -0.138799295, 0.199779391, -0.333329558})
             : Polynomial(z, {-0.017910558483213886, 0.038068373327804418, -0.050394809508784541,
                              0.058479332710143828, -0.066631106029770695, 0.076920608216595812,
                              -0.090908977927441598, 0.11111110784686078, -0.14285714280220832,
                              0.19999999999953821, -0.33333333333333198});
  const Expr tail = Fma(t * z, p, offset(low));
  return WithSignOf(Abs(offset(high) + (t + tail)), x);
}

// 1 - x^2 as (1 - x)(1 + x), exact next to 1.
Expr Asin(Expr x) { return Atan(x / Sqrt((1.0 - x) * (1.0 + x))); }

Expr Acos(Expr x) { return Atan(Sqrt((1.0 - x) / (1.0 + x))) * 2.0; }

Expr Tan(Expr x) { return Sin(x) / Cos(x); }

// Half of e^|x| as the product of two roots, which overflows where the result does, not before.
Expr Sinh(Expr x) {
  const Expr a = Abs(x);
  const Expr e = Expm1(a);
  const Expr root = PolynomialExp(a * 0.5);
  const Expr near = (e + e / (e + 1.0)) * 0.5;
  const Expr far = Fma(root * 0.5, root, 0.5 / root / root * -1.0);
  return WithSignOf(Select(Lt(a, x.Const(1)), near, far), x);
}

Expr Cosh(Expr x) {
  const Expr root = PolynomialExp(Abs(x) * 0.5);
  return Fma(root * 0.5, root, 0.5 / root / root);
}

}  // namespace gradus::ir::approx
