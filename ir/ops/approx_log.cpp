// log and log1p: the argument is 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), and log = e ln(2)
// + log(1 + f).

#include <limits>

#include "ir/ops/approx.h"
#include "ir/ops/approx_parts.h"

namespace gradus::ir::approx {

using loop::Expr;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The bits of x > 0, moved so that those of sqrt(1/2) stand where those of 1 stood: the exponent
// field is then e + bias, and the rest, moved back, is 1 + f.
struct Split {
  Expr moved;
  int64_t root;  // bits of sqrt(1/2)
};
Split MoveToRoot(Expr x) {
  const FloatFormat& format = FormatOf(x.dtype());
  const int64_t root = IsF32(x) ? 0x3f3504f3 : 0x3fe6a09e667f3bcd;
  const int64_t one = format.bias << format.mantissa;
  return {Bitcast(format.bits, x) + x.IntConst(format.bits, one - root), root};
}

// The exponent field of `moved` less `bias`, as a float: it becomes the low bits of 2^mantissa,
// which spares the conversion that AVX2 does not have for 64 bits.
Expr ExponentNumber(Expr moved, DType dtype, Expr bias) {
  const FloatFormat& format = FormatOf(dtype);
  const Expr field = Shr(moved, moved.IntConst(format.bits, format.mantissa));
  const int64_t frame = (format.bias + format.mantissa) << format.mantissa;
  return Bitcast(dtype, Or(field, moved.IntConst(format.bits, frame))) - bias;
}

// e ln(2) + log(1 + f).
Expr LogOfSplit(Expr e, Expr f) {
  if (IsF32(f)) {  // Cephes, logf.c
    const Expr square = f * f;
    const Expr p = Polynomial(
        f, {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
            -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1});
    const Expr low = Fma(e, f.Const(-2.12194440e-4), f * square * p);
    return Fma(e, f.Const(0.693359375), f + Fma(square, f.Const(-0.5), low));
  }
  // fdlibm, e_log.c: with s = f / (2 + f), log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)).
  const Expr s = f / (f + 2);
  const Expr z = s * s;
  const Expr half_square = f * f * 0.5;
  const Expr r = z * Polynomial(z, {1.479819860511658591e-01, 1.531383769920937332e-01,
                                    1.818357216161805012e-01, 2.222219843214978396e-01,
                                    2.857142874366239149e-01, 3.999999999940941908e-01,
                                    6.666666666666735130e-01});
  const Expr low = Fma(s, half_square + r, e * 1.90821492927058770002e-10);
  return Fma(e, f.Const(6.93147180369123816490e-01), f - (half_square - low));
}

// What log gives where its argument is 0, negative, infinite or NaN; `regular` elsewhere. `x` is
// +inf or NaN as the result should be.
Expr WithSpecialCases(Expr regular, Expr x, double pole) {
  const Expr at_pole = x.Const(pole);
  const Expr finite = Select(Lt(x, x.Const(kInfinity)), regular, x);
  return Select(Le(x, at_pole), Select(Eq(x, at_pole), x.Const(-kInfinity), x.Const(kNan)), finite);
}

}  // namespace

Expr Log(Expr x) {
  const FloatFormat& format = FormatOf(x.dtype());
  // Denormal numbers are scaled up to normal ones first.
  const Expr denormal = Lt(x, x.Const(format.smallest));
  const double up = static_cast<double>(int64_t{1} << format.mantissa);
  const Expr y = Select(denormal, x * up, x);
  const auto base = static_cast<double>((int64_t{1} << format.mantissa) + format.bias);
  const Expr bias = Select(denormal, x.Const(base + format.mantissa), x.Const(base));
  const Split split = MoveToRoot(y);
  const Expr e = ExponentNumber(split.moved, x.dtype(), bias);
  const int64_t mantissa_mask = (int64_t{1} << format.mantissa) - 1;
  const Expr fraction = And(split.moved, x.IntConst(format.bits, mantissa_mask));
  const Expr m = Bitcast(x.dtype(), fraction + x.IntConst(format.bits, split.root));
  return WithSpecialCases(LogOfSplit(e, m - 1), x, 0);
}

// e is taken from 1 + x as rounded, but f = x 2^-e + (2^-e - 1) from x itself: products with a
// power of two are exact, so f is rounded once. The power is held four times too large, x four
// times too small, since 2^-e can be denormal.
Expr Log1p(Expr x) {
  const FloatFormat& format = FormatOf(x.dtype());
  const Split split = MoveToRoot(x + 1);
  const auto base = static_cast<double>((int64_t{1} << format.mantissa) + format.bias);
  const Expr e = ExponentNumber(split.moved, x.dtype(), x.Const(base));
  const int64_t exponent_mask = ~((int64_t{1} << format.mantissa) - 1);
  const Expr exponent = And(split.moved, x.IntConst(format.bits, exponent_mask));
  // (2 * bias + 2) << mantissa is the sign bit; the difference wraps back to a positive number.
  const Expr power = Bitcast(x.dtype(), x.IntConst(format.bits, format.sign) - exponent);
  const Expr f = Fma(x * 0.25, power, Fma(power, 0.25, -1));
  const Expr tiny = x.Const(IsF32(x) ? 0x1p-25 : 0x1p-54);
  return WithSpecialCases(Select(Lt(Abs(x), tiny), x, LogOfSplit(e, f)), x, -1);
}

}  // namespace gradus::ir::approx
