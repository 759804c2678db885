// sin, cos, tanh, sigmoid, erf: smooth on the whole line.

#include "ir/ops/approx.h"
#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/lowering.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

constexpr double kTwoOverSqrtPi = 1.1283791670955126;

Value ErfGradient(const Vjp& c) {
  const Value squared = c.operand(0) * c.operand(0);
  const Value bell = exp(neg(squared));
  return c.grad * (bell * kTwoOverSqrtPi);
}

constinit const OpDef kSin{
    .name = "sin",
    .summary = "sine of each element, in radians",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return c.grad * cos(c.operand(0)); }},
    .at = Pointwise<approx::Sin>,
};

constinit const OpDef kCos{
    .name = "cos",
    .summary = "cosine of each element, in radians",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return -(c.grad * sin(c.operand(0))); }},
    .at = Pointwise<approx::Cos>,
};

constinit const OpDef kTanh{
    .name = "tanh",
    .summary = "hyperbolic tangent of each element",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return c.grad * (1.0 - c.result() * c.result()); }},
    .at = Pointwise<approx::Tanh>,
};

constinit const OpDef kSigmoid{
    .name = "sigmoid",
    .summary = "1 / (1 + exp(-x)) of each element",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {[](const Vjp& c) { return c.grad * (c.result() * (1.0 - c.result())); }},
    .at = Pointwise<approx::Sigmoid>,
};

constinit const OpDef kErf{
    .name = "erf",
    .summary = "error function of each element",
    .operands = {"x"},
    .traits = kPointwise | kTranscendental,
    .infer = SameAsFirstFloat,
    .vjp = {ErfGradient},
    .at = Pointwise<approx::Erf>,
};

constexpr const OpDef* kTable[] = {&kSin, &kCos, &kTanh, &kSigmoid, &kErf};

}  // namespace

OpTable SmoothOps() { return kTable; }

Value sin(Operand x) { return EmitElementwise(kSin, {x}); }
Value cos(Operand x) { return EmitElementwise(kCos, {x}); }
Value tanh(Operand x) { return EmitElementwise(kTanh, {x}); }
std::optional<Value> LogitsOfSigmoid(const Operand& p) {
  if (p.is_number() || !p.value() || p.value().is_poison()) return std::nullopt;
  const Node& node = *p.value().node();
  if (&node.op() != &kSigmoid) return std::nullopt;
  return node.operand(0);
}

Value sigmoid(Operand x) { return EmitElementwise(kSigmoid, {x}); }
Value erf(Operand x) { return EmitElementwise(kErf, {x}); }

}  // namespace gradus::ir
