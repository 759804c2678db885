// pow(x, y) = 2^(y log2|x|), with a sign, and rsqrt. The logarithm needs more bits than the result
// has: f32 computes in f64, f64 in unevaluated sums of two numbers.

#include <cmath>
#include <limits>
#include <optional>

#include "ir/ops/approx.h"
#include "ir/ops/approx_parts.h"

namespace gradus::ir::approx {

using loop::Expr;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// An unevaluated sum; |low| is at most about half a unit in the last place of `high`.
struct Sum {
  Expr high, low;
};

// a + b, where a = 0 or |a| >= |b| (Dekker 1971).
Sum Add(Expr a, Expr b) {
  const Expr high = a + b;
  return {high, (a - high) + b};
}
Sum Multiply(const Sum& a, const Sum& b) {
  const Expr high = a.high * b.high;
  return {high, Fma(a.high, b.high, -high) + Fma(a.high, b.low, a.low * b.high)};
}

// f64: positive finite x = 2^e m with m in [sqrt(1/2), sqrt(2)).
struct Decomposed {
  Expr e, m;
};
Decomposed Decompose(Expr x, Expr bias) {
  constexpr int64_t kRoot = 0x3fe6a09e667f3bcd, kOne = 0x3ff0000000000000;
  constexpr int64_t kMantissaMask = 0x000fffffffffffff, kFrame = 0x4330000000000000;
  const auto integer = [&](int64_t value) { return x.IntConst(DType::kI64, value); };
  const Expr moved = Bitcast(DType::kI64, x) + integer(kOne - kRoot);
  const Expr e = Bitcast(DType::kF64, Or(Shr(moved, integer(52)), integer(kFrame))) - bias;
  return {e, Bitcast(DType::kF64, And(moved, integer(kMantissaMask)) + integer(kRoot))};
}

// log2 of a positive finite f64 that was an f32, to 1e-13: 2 atanh(s) / ln(2), s = (m - 1) / (m +
// 1), by a minimax fit of our own (approx_fit.py).
Expr Log2Single(Expr x) {
  const Decomposed d = Decompose(x, x.Const(0x1p52 + 1023));
  const Expr s = (d.m - 1) / (d.m + 1);
  const Expr p =
      Polynomial(s * s, {2.829480843804667e-1, 3.1990239215126715e-1, 4.1220933241369945e-1,
                         5.7707794157230552e-1, 9.6179669411601987e-1, 2.8853900817778486});
  return Fma(s, p, d.e);
}

// log2 of a positive finite f64, to about 2^-66 of it: atanh(s) = s (1 + z (1/3 + z q(z))), z =
// s^2, where q may be a plain number.
Sum Log2Double(Expr x) {
  const Expr denormal = Lt(x, x.Const(0x1p-1022));
  const Expr bias = Select(denormal, x.Const(0x1p52 + 1023 + 52), x.Const(0x1p52 + 1023));
  const Decomposed d = Decompose(Select(denormal, x * 0x1p52, x), bias);
  const Expr f = d.m - 1;
  const Expr sum = d.m + 1;
  const Sum divisor{sum, d.m - (sum - 1)};
  const Expr reciprocal = 1 / divisor.high;
  const Expr quotient = f * reciprocal;
  const Expr remainder = Fma(-quotient, divisor.low, Fma(-quotient, divisor.high, f));
  const Sum s{quotient, remainder * reciprocal};
  const Sum z = Multiply(s, s);
  const Expr q = z.high * Polynomial(z.high, {6.5995556983784037e-2, 6.6282641519650909e-2,
                                              7.6933846402682055e-2, 9.0908920595298648e-2,
                                              1.1111111261308007e-1, 1.428571428504268e-1,
                                              2.0000000000001142e-1});
  Sum w = Add(x.Const(0x1.5555555555555p-2), q);
  w.low = w.low + 0x1.5555555555555p-56;
  const Sum cubic = Multiply(s, Multiply(z, w));
  Sum half_log = Add(s.high, cubic.high);
  half_log.low = half_log.low + (cubic.low + s.low);
  const Sum fraction = Multiply(
      half_log, {x.Const(0x1.71547652b82fep+1), x.Const(0x1.777d0ffda0d24p-55)});  // 2 / ln(2)
  const Sum log = Add(d.e, fraction.high);
  return {log.high, log.low + fraction.low};
}

// `log` where x is positive and finite, else what log2 gives: -inf at 0, x at inf and NaN.
Expr WithPoles(Expr log, Expr x) {
  const Expr nonzero = Select(Eq(x, x.Const(0)), x.Const(-kInfinity), log);
  return Select(Lt(x, x.Const(kInfinity)), nonzero, x);
}

// |x|^y for f32 operands; the last cast rounds once, to denormals and infinity too.
Expr PowerSingle(Expr size, Expr y) {
  const Expr x64 = Cast(DType::kF64, size);
  const Expr product = WithPoles(Log2Single(x64), x64) * Cast(DType::kF64, y);
  const Expr exponent = AtMost(AtLeast(product, -200), 200);
  const Rounded k = RoundScaled(exponent, 1, 1023);
  const Expr r = exponent - k.number;
  // 2^r to 7e-11, a minimax fit of our own (approx_fit.py).
  const Expr fraction =
      Polynomial(r, {1.5318621850373412e-5, 1.5467386301204404e-4, 1.3333429720081341e-3,
                     9.6180366871857857e-3, 5.5504109632300833e-2, 2.4022651076333593e-1,
                     6.9314718054161406e-1, 1.0});
  return Cast(DType::kF32, fraction * PowerOfTwo(k.bits, DType::kF64));
}

Expr PowerDouble(Expr size, Expr y) {
  const Sum log = Log2Double(size);
  const Expr high = WithPoles(log.high, size);
  const Expr product = high * y;
  const Expr exponent = AtMost(AtLeast(product, -1080), 1030);
  // The low part counts only where nothing overflowed or was clamped.
  const Expr low = Select(Eq(exponent, product), Fma(high, y, -product) + log.low * y, y.Const(0));
  const Rounded k = RoundScaled(exponent, 1, 2 * 1023);
  const Expr fraction = Exp2Fraction((exponent - k.number) + low);
  return TimesPowerOfTwo(fraction, k.bits);
}

// The exponents that programs are full of, known at compile time and cheap: nullopt for all others.
std::optional<Expr> KnownPower(Expr x, double y) {
  if (y == 0) return x.Const(1);
  if (y == 1) return x;
  if (y == 2) return x * x;
  if (y == 3) return x * x * x;
  if (y == -1) return 1 / x;
  if (std::fabs(y) == 0.5) {  // differs from sqrt at -0 and -inf
    const Expr root = Select(Eq(x, x.Const(-kInfinity)), x.Const(kInfinity), Sqrt(x + 0));
    return y > 0 ? root : 1 / root;
  }
  return std::nullopt;
}

}  // namespace

// The special cases are those of C23, annex F.10.4.4.
Expr Pow(Expr x, Expr y) {
  if (y.scalar()->kind == loop::ScalarKind::kConst) {
    if (const auto known = KnownPower(x, y.scalar()->number)) return *known;
  }
  const FloatFormat& format = FormatOf(x.dtype());
  const Expr size = Abs(x);
  const Expr power = IsF32(x) ? PowerSingle(size, y) : PowerDouble(size, y);
  // 0 * infinity spoils a base of size 1.
  const Expr sized = Select(Eq(size, x.Const(1)), x.Const(1), power);
  // Infinity and numbers beyond 2^mantissa are even integers.
  const Expr integer = Eq(Floor(y), y);
  const Expr half = y * 0.5;
  const Expr odd = And(integer, Ne(Floor(half), half));
  const Expr sign = Select(odd, And(Bitcast(format.bits, x), x.IntConst(format.bits, format.sign)),
                           x.IntConst(format.bits, 0));
  const Expr with_sign = Bitcast(x.dtype(), Or(Bitcast(format.bits, sized), sign));
  // No real root of a negative number.
  const Expr finite_negative = And(Lt(x, x.Const(0)), Lt(x.Const(-kInfinity), x));
  const Expr real = Select(And(finite_negative, Ne(Floor(y), y)), x.Const(kNan), with_sign);
  return Select(Or(Eq(y, y.Const(0)), Eq(x, x.Const(1))), x.Const(1), real);
}

Expr Rsqrt(Expr x) { return 1 / Sqrt(x); }

}  // namespace gradus::ir::approx
