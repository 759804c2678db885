// exp, expm1, log, log1p, pow, sqrt, rsqrt.

#include "ir/ops/approx.h"
#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"
#include "ir/ops/lowering.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

// b * a^(b - 1), but 0 where b is 0: there a^(b - 1) may be infinite.
Value PowBaseGradient(const Vjp& c) {
  const Value a = c.operand(0), b = c.operand(1);
  const Value lowered = b - 1.0;
  const Value power = pow(a, lowered);
  const Value slope = b * power;
  const Value flat = equal(b, 0);
  return c.grad * select(flat, 0, slope);
}

// a^b * log(a) where a > 0, else 0: the limit at a = 0 for b > 0, and a convention for a < 0, where
// a real derivative in b does not exist. The logarithm is of 1 there, so that no NaN hides in the
// branch that is not taken.
Value PowExponentGradient(const Vjp& c) {
  const Value a = c.operand(0);
  const Value positive = greater(a, 0);
  const Value safe = select(positive, a, 1);
  const Value slope = c.result() * log(safe);
  return c.grad * select(positive, slope, 0);
}

// For these exponents C's pow is the correctly rounded power, and so is what replaces it.
Value SimplifyPow(Node& n) {
  const Value a = n.operand(0), b = n.operand(1);
  if (IsSplat(b, 1)) return a;
  if (IsSplat(b, 2)) return mul(a, a);
  if (IsSplat(b, -1)) return div(1.0, a);
  if (IsSplat(b, 0.0) || IsSplat(b, -0.0)) return full_like(a, 1);
  return {};
}

constinit const OpDef kExp{
    .name = "exp",
    .summary = "e to the power of each element",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return c.grad * c.result(); }},
    .at = Pointwise<approx::Exp>,
};

constinit const OpDef kExpm1{
    .name = "expm1",
    .summary = "exp(x) - 1 of each element, accurate near 0",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return c.grad * (c.result() + 1.0); }},
    .at = Pointwise<approx::Expm1>,
};

constinit const OpDef kLog{
    .name = "log",
    .summary = "natural logarithm of each element",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return c.grad / c.operand(0); }},
    .at = Pointwise<approx::Log>,
};

constinit const OpDef kLog1p{
    .name = "log1p",
    .summary = "log(1 + x) of each element, accurate near 0",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return c.grad / (c.operand(0) + 1.0); }},
    .at = Pointwise<approx::Log1p>,
};

constinit const OpDef kPow{
    .name = "pow",
    .summary = "a to the power b, element by element, as C's pow",
    .operands = {"a", "b"},
    .traits = kPointwise | kTranscendental,
    .infer = TwoAlikeFloat,
    .vjp = {PowBaseGradient, PowExponentGradient},
    .at = Pointwise2<approx::Pow>,
    .simplify = SimplifyPow,
};

constinit const OpDef kSqrt{
    .name = "sqrt",
    .summary = "square root of each element",
    .operands = {"x"},
    .traits = kPointwise,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return c.grad * 0.5 / c.result(); }},
    .at = Pointwise<&loop::Sqrt>,
};

constinit const OpDef kRsqrt{
    .name = "rsqrt",
    .summary = "1 / sqrt(x) of each element",
    .operands = {"x"},
    .traits = kPointwise,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return c.grad * -0.5 * c.result() / c.operand(0); }},
    .at = Pointwise<approx::Rsqrt>,
};

constexpr const OpDef* kTable[] = {&kExp, &kExpm1, &kLog, &kLog1p, &kPow, &kSqrt, &kRsqrt};

}  // namespace

OpTable ExponentialOps() { return kTable; }

Value exp(Operand x) { return EmitElementwise(kExp, {x}); }
Value expm1(Operand x) { return EmitElementwise(kExpm1, {x}); }
Value log(Operand x) { return EmitElementwise(kLog, {x}); }
Value log1p(Operand x) { return EmitElementwise(kLog1p, {x}); }
Value pow(Operand a, Operand b) { return EmitElementwise(kPow, {a, b}); }
Value sqrt(Operand x) { return EmitElementwise(kSqrt, {x}); }
Value rsqrt(Operand x) { return EmitElementwise(kRsqrt, {x}); }

}  // namespace gradus::ir
