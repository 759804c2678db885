// erf. Near 0, x times a polynomial in x^2. Beyond 1, 1 - erfc(x) with log2(erfc(x)), a smooth
// function, as a polynomial: its errors are damped by erfc(x) / erf(x) < 0.19. (The idea is N.
// Juffa's, forums.developer.nvidia.com; the coefficients are minimax fits of our own,
// approx_fit.py.)
//
// With tables exp(-x^2) is about as short as 2 to the power of that polynomial, and is what erf's
// gradient needs, so that both have it in common: erfc(x) is a polynomial times it (GELU and its
// gradient on Zen 5: 0.31 ns an element, with the logarithm 0.39; GELU alone 0.27 and 0.28. Without
// tables, on the same processor: 0.74 and 0.93; alone 0.65 and 0.57).

#include "ir/ops/approx.h"
#include "ir/ops/approx_parts.h"

namespace gradus::ir::approx {

using loop::Expr;

namespace {

// erf(x) / x - 1 in z = x^2, for z <= 1.
Expr NearZero(Expr z) {
  if (IsF32(z)) {  // 1.3e-9
    return Polynomial(z, {7.92029605e-5, -8.03074974e-4, 5.19073335e-3, -2.6855126e-2,
                          1.12836182e-1, -3.76126289e-1, 1.28379166e-1});
  }
  return Polynomial(z, {-7.8011918883419139e-10, 1.3722976770798816e-8, -1.6209175731923008e-7,
                        1.6447517609499445e-6, -1.4924744653567651e-5, 1.2055295319730584e-4,
                        -8.5483259896614158e-4, 5.2239776074225024e-3, -2.6866170643276073e-2,
                        1.1283791670945252e-1, -3.7612638903183548e-1, 1.2837916709551256e-1});
}

// log2(erfc(x)) for 1 <= x <= 3.95 (f32) or 5.93 (f64), where erf(x) rounds to 1.
Expr Log2Erfc(Expr x) {
  if (IsF32(x)) {  // 1.8e-9 of erf(x)
    return Polynomial(x, {2.68874574e-4, -4.25247615e-3, 3.15053575e-2, -1.4875105e-1,
                          -9.20648932e-1, -1.6260457, -4.9277331e-4});
  }
  return Polynomial(x, {-7.1363214385469935e-12, 2.9603230036724804e-10, -5.6941373511447934e-9,
                        6.7176809659734915e-8, -5.401202912726357e-7, 3.0898969793024052e-6,
                        -1.25414589609446e-5, 3.3049371317862225e-5, -2.9558266566680394e-5,
                        -1.941838896874953e-4, 1.1107525016803271e-3, -2.7627956805889719e-3,
                        5.9111397747334585e-4, 2.7397998689249053e-2, -1.4817026549619452e-1,
                        -9.1848240897043503e-1, -1.6278997485231759, -7.2058396701769131e-7});
}

// 1 - erfc(size), where `size` is that of x, or where erf rounds to 1.
Expr Beyond1(Expr x, Expr size) {
  if (IsF32(x) && x.arena().has_tables) {
    // exp(x^2) erfc(x) for 1 <= x <= 3.95: 3.8e-9 of erf(x).
    const Expr scaled =
        Polynomial(size, {1.08179462e-4, -1.93148188e-3, 1.54263098e-2, -7.31959715e-2,
                          2.31511116e-1, -5.20128369e-1, 8.63767445e-1, -1.08032846, 9.9235481e-1});
    return Fma(-Exp(-(x * x)), scaled, 1);
  }
  const Expr exponent = Log2Erfc(size);
  const Rounded k = RoundScaled(exponent, 1, static_cast<double>(FormatOf(x.dtype()).bias));
  const Expr fraction = Exp2Fraction(exponent - k.number);
  return Fma(-fraction, PowerOfTwo(k.bits, x.dtype()), 1);
}

}  // namespace

Expr Erf(Expr x) {
  const Expr size = AtMost(Abs(x), IsF32(x) ? 3.95 : 5.93);
  const Expr small = Fma(size, NearZero(x * x), size);
  return WithSignOf(Select(Lt(size, x.Const(1)), small, Beyond1(x, size)), x);
}

}  // namespace gradus::ir::approx
