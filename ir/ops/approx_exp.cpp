// exp, expm1, sigmoid and tanh. All write x = k ln(2) + r with |r| <= ln(2)/2 and e^x = 2^k e^r;
// they differ in how they put 2^k back without an overflow or a second rounding.

#include <span>

#include "ir/ops/approx.h"
#include "ir/ops/approx_parts.h"

namespace gradus::ir::approx {

using loop::Expr;

namespace {

constexpr double kLog2E = 1.4426950408889634;

// What a fit of e^r - 1 was weighted for: units in the last place of e^r, or relative to e^r - 1.
enum class Fit { kExp, kExpm1 };

// q in e^r - 1 ~ r + r^2 q(r), highest degree first: minimax fits of our own (approx_fit.py).
std::span<const double> Coefficients(DType dtype, Fit fit) {
  static constexpr double kSingleExp[] = {1.3560591e-3, 8.36873986e-3, 4.16727476e-2, 1.66665211e-1,
                                          4.99999762e-1};
  static constexpr double kSingleExpm1[] = {1.99142029e-4, 1.39410084e-3, 8.33327323e-3,
                                            4.1666355e-2,  1.66666672e-1, 5.0e-1};
  static constexpr double kDoubleExp[] = {
      2.5117893221906713e-8, 2.763128072339039e-7,  2.7557216193028938e-6, 2.4801489941426681e-5,
      1.9841269917509537e-4, 1.3888888947016197e-3, 8.3333333333071476e-3, 4.1666666666515417e-2,
      1.6666666666666699e-1, 5.0000000000000122e-1};
  static constexpr double kDoubleExpm1[] = {2.0910783831395892e-9,
                                            2.5109321780580509e-8,
                                            2.7557283197565365e-7,
                                            2.7557243449694783e-6,
                                            2.4801587317819234e-5,
                                            1.9841269886817673e-4,
                                            1.3888888888886051e-3,
                                            8.3333333333213862e-3,
                                            4.1666666666666671e-2,
                                            1.6666666666666677e-1,
                                            5.0e-1};
  if (dtype == DType::kF32)
    return fit == Fit::kExp ? std::span<const double>(kSingleExp) : kSingleExpm1;
  return fit == Fit::kExp ? std::span<const double>(kDoubleExp) : kDoubleExpm1;
}

// (e^(c r) - 1) / c for |c r| <= ln(2)/2, where c is a power of two or its negative: the
// coefficients times powers of c, which is exact.
Expr Expm1Fraction(Expr r, double c, Fit fit) {
  const std::span<const double> q = Coefficients(r.dtype(), fit);
  double power = c;
  for (size_t i = 1; i < q.size(); ++i) power *= c;
  Expr sum = r.Const(q[0] * power);
  for (const double coefficient : q.subspan(1)) {
    power /= c;
    sum = Fma(sum, r, r.Const(coefficient * power));
  }
  return Fma(sum, r * r, r);
}

// k counts sixteenths of ln(2): a table has their powers, and for |r| <= ln(2)/32 a short
// polynomial is enough, e^r - 1 - r ~ r^2 (c0 + c1 r).
Expr TableExp(Expr x) {
  constexpr int kFraction = 4;
  const Expr y = AtMost(AtLeast(x, -104), 89);
  const Rounded k =
      RoundScaled(y, kLog2E, 2.0 * static_cast<double>(FormatOf(x.dtype()).bias), kFraction);
  const Expr r = SubtractMultipleOfLn2(y, k.number);
  const Expr p = Fma(Fma(r, 1.66666672e-1, 5.00016189e-1), r * r, r);
  const Expr root = Exp2Table(k.bits);
  return TimesPowerOfTwo(Fma(root, p, root), Shr(k.bits, x.IntConst(DType::kI32, kFraction)));
}

}  // namespace

Expr Exp(Expr x) { return IsF32(x) && x.arena().has_tables ? TableExp(x) : PolynomialExp(x); }

Expr PolynomialExp(Expr x) {
  const FloatFormat& format = FormatOf(x.dtype());
  const Expr y = IsF32(x) ? AtMost(AtLeast(x, -104), 89) : AtMost(AtLeast(x, -746), 710);
  const Rounded k = RoundScaled(y, kLog2E, 2.0 * static_cast<double>(format.bias));
  const Expr e = Expm1Fraction(SubtractMultipleOfLn2(y, k.number), 1, Fit::kExp) + 1;
  return TimesPowerOfTwo(e, k.bits);
}

// 2^k e^r - 1 = 2 (2^(k-1) (e^r - 1) + (2^(k-1) - 1/2)): the halved power cannot overflow, and
// where k = 0 the second term vanishes. Tiny x is its own result, and keeps its sign if it is zero.
Expr Expm1(Expr x) {
  const FloatFormat& format = FormatOf(x.dtype());
  const Expr y = IsF32(x) ? AtMost(AtLeast(x, -20), 89) : AtMost(AtLeast(x, -40), 710);
  const Rounded k = RoundScaled(y, kLog2E, static_cast<double>(format.bias - 1));
  const Expr p = Expm1Fraction(SubtractMultipleOfLn2(y, k.number), 1, Fit::kExpm1);
  const Expr power = PowerOfTwo(k.bits, x.dtype());
  const Expr half = Fma(p, power, power - 0.5);
  const Expr tiny = x.Const(IsF32(x) ? 0x1p-25 : 0x1p-54);
  return Select(Lt(Abs(x), tiny), x, half + half);
}

// 2^k / (2^k + e^-r), with both terms scaled by a power of two that keeps them normal down to the
// smallest result: one formula is right in both tails, and the division rounds the denormal ones
// correctly.
Expr Sigmoid(Expr x) {
  const FloatFormat& format = FormatOf(x.dtype());
  const int scale = IsF32(x) ? 64 : 600;
  const Expr y = IsF32(x) ? AtMost(AtLeast(x, -104), 30) : AtMost(AtLeast(x, -746), 50);
  const Rounded k = RoundScaled(y, kLog2E, static_cast<double>(format.bias + scale));
  const Expr e = 1 - Expm1Fraction(SubtractMultipleOfLn2(y, k.number), -1, Fit::kExp);
  const Expr power = PowerOfTwo(k.bits, x.dtype());
  return power / Fma(e, x.Const(IsF32(x) ? 0x1p64 : 0x1p600), power);
}

// h / (h + 1) with h = (e^(2|x|) - 1) / 2, which is |x| where that is tiny; then the sign.
Expr Tanh(Expr x) {
  const FloatFormat& format = FormatOf(x.dtype());
  const Expr y = AtMost(Abs(x), IsF32(x) ? 9.5 : 20);
  const Rounded k = RoundScaled(y, 2 * kLog2E, static_cast<double>(format.bias));
  const Expr p = Expm1Fraction(SubtractMultipleOfLn2(y, k.number, 2), 2, Fit::kExpm1);
  const Expr power = PowerOfTwo(k.bits, x.dtype());
  const Expr h = Fma(p, power, Fma(power, 0.5, -0.5));
  return WithSignOf(h / (h + 1), x);
}

}  // namespace gradus::ir::approx
