// Activations. Pieces are chosen by select, so that the gradient at a joint is the chosen piece's.

#include "ir/ops/building.h"
#include "ir/ops/composite.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"

namespace gradus::ir {
namespace {

// G. Klambauer et al., "Self-normalizing neural networks", 2017.
constexpr double kSeluAlpha = 1.6732632423543772848;
constexpr double kSeluScale = 1.0507009873554804934;

constexpr double kSqrtHalf = 0.70710678118654752440;
constexpr double kSqrtTwoOverPi = 0.79788456080286535588;

}  // namespace

Value relu(Operand x) {
  const CallerScope scope({x});
  const Value off = less_equal(x, 0);
  return select(off, 0, x);
}

Value leaky_relu(Operand x, double slope) {
  const CallerScope scope({x});
  const Value on = greater(x, 0);
  const Value leak = mul(x, slope);
  return select(on, x, leak);
}

Value prelu(Operand x, Operand slope) {
  const CallerScope scope({x, slope});
  const Value on = greater(x, 0);
  const Value leak = mul(slope, x);
  return select(on, x, leak);
}

Value elu(Operand x, double alpha) {
  const CallerScope scope({x});
  const Value on = greater(x, 0);
  // expm1 of what may be positive would overflow, and inf * 0 be NaN in its gradient.
  const Value below = select(on, 0, x);
  const Value curve = mul(expm1(below), alpha);
  return select(on, x, curve);
}

Value selu(Operand x) {
  const CallerScope scope({x});
  return mul(elu(x, kSeluAlpha), kSeluScale);
}

// Phi is the standard normal distribution function.
Value gelu(Operand x) {
  const CallerScope scope({x});
  const Value phi = mul(add(erf(mul(x, kSqrtHalf)), 1), 0.5);
  return mul(x, phi);
}

// D. Hendrycks and K. Gimpel, "Gaussian error linear units", 2016: the approximation by tanh.
Value gelu_tanh(Operand x) {
  const CallerScope scope({x});
  const Value cube = mul(mul(x, x), x);
  const Value inner = mul(add(x, mul(cube, 0.044715)), kSqrtTwoOverPi);
  const Value phi = mul(add(tanh(inner), 1), 0.5);
  return mul(x, phi);
}

Value silu(Operand x) {
  const CallerScope scope({x});
  return mul(x, sigmoid(x));
}

Value softplus(Operand x) {
  const CallerScope scope({x});
  const Value on = greater(x, 0);
  const Value linear = select(on, x, 0);
  const Value negated = neg(x);
  const Value tail = log1p(exp(select(on, negated, x)));
  return add(linear, tail);
}

Value hard_sigmoid(Operand x) {
  const CallerScope scope({x});
  return clip(add(mul(x, 1.0 / 6), 0.5), 0, 1);
}

Value clip(Operand x, double low, double high) {
  const CallerScope scope({x});
  const Value above = greater(x, high);
  const Value not_above = select(above, high, x);
  const Value below = less(x, low);
  return select(below, low, not_above);
}

Value square(Operand x) {
  const CallerScope scope({x});
  return mul(x, x);
}

}  // namespace gradus::ir
