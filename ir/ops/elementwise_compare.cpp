// Comparisons, which give i1, and logic on i1. None carries a gradient.

#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"
#include "ir/ops/lowering.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

loop::Expr Not(loop::Expr x) { return Xor(x, x.IntConst(DType::kI1, 1)); }

loop::Expr EqualAt(loop::Expr a, loop::Expr b) {
  return a.dtype() == DType::kI1 ? Not(Xor(a, b)) : Eq(a, b);
}
loop::Expr NotEqualAt(loop::Expr a, loop::Expr b) {
  return a.dtype() == DType::kI1 ? Xor(a, b) : Ne(a, b);
}
loop::Expr GreaterAt(loop::Expr a, loop::Expr b) { return Lt(b, a); }
loop::Expr GreaterEqualAt(loop::Expr a, loop::Expr b) { return Le(b, a); }

// `neutral` leaves the other operand as it is; its opposite decides alone.
Value SimplifyLogic(Node& n, double neutral) {
  const Value a = n.operand(0), b = n.operand(1);
  if (a == b || IsSplat(b, neutral)) return a;
  if (IsSplat(a, neutral)) return b;
  if (IsSplat(a, 1 - neutral)) return a;
  if (IsSplat(b, 1 - neutral)) return b;
  return {};
}
Value SimplifyAnd(Node& n) { return SimplifyLogic(n, 1); }
Value SimplifyOr(Node& n) { return SimplifyLogic(n, 0); }
Value SimplifyNot(Node& n) {
  const Node& x = *n.operand(0).node();
  return &x.op() == &n.op() ? x.operand(0) : Value();
}

constinit const OpDef kEqual{
    .name = "equal",
    .summary = "a == b; false beside NaN",
    .operands = {"a", "b"},
    .traits = kPointwise | kCommutative,
    .infer = CompareTwo,
    .at = Pointwise2<EqualAt>,
};

constinit const OpDef kNotEqual{
    .name = "not_equal",
    .summary = "a != b; true beside NaN",
    .operands = {"a", "b"},
    .traits = kPointwise | kCommutative,
    .infer = CompareTwo,
    .at = Pointwise2<NotEqualAt>,
};

constinit const OpDef kLess{
    .name = "less",
    .summary = "a < b; false beside NaN",
    .operands = {"a", "b"},
    .traits = kPointwise,
    .infer = CompareTwoNumeric,
    .at = Pointwise2<&loop::Lt>,
};

constinit const OpDef kLessEqual{
    .name = "less_equal",
    .summary = "a <= b; false beside NaN",
    .operands = {"a", "b"},
    .traits = kPointwise,
    .infer = CompareTwoNumeric,
    .at = Pointwise2<&loop::Le>,
};

constinit const OpDef kGreater{
    .name = "greater",
    .summary = "a > b; false beside NaN",
    .operands = {"a", "b"},
    .traits = kPointwise,
    .infer = CompareTwoNumeric,
    .at = Pointwise2<GreaterAt>,
};

constinit const OpDef kGreaterEqual{
    .name = "greater_equal",
    .summary = "a >= b; false beside NaN",
    .operands = {"a", "b"},
    .traits = kPointwise,
    .infer = CompareTwoNumeric,
    .at = Pointwise2<GreaterEqualAt>,
};

constinit const OpDef kLogicalAnd{
    .name = "logical_and",
    .summary = "both of two i1 elements",
    .operands = {"a", "b"},
    .traits = kPointwise | kCommutative,
    .infer = TwoAlikeBoolean,
    .at = Pointwise2<&loop::And>,
    .simplify = SimplifyAnd,
};

constinit const OpDef kLogicalOr{
    .name = "logical_or",
    .summary = "either of two i1 elements",
    .operands = {"a", "b"},
    .traits = kPointwise | kCommutative,
    .infer = TwoAlikeBoolean,
    .at = Pointwise2<&loop::Or>,
    .simplify = SimplifyOr,
};

constinit const OpDef kLogicalNot{
    .name = "logical_not",
    .summary = "the opposite of each i1 element",
    .operands = {"x"},
    .traits = kPointwise,
    .infer = SameAsFirstBoolean,
    .at = Pointwise<Not>,
    .simplify = SimplifyNot,
};

constexpr const OpDef* kTable[] = {&kEqual,      &kNotEqual,  &kLess,
                                   &kLessEqual,  &kGreater,   &kGreaterEqual,
                                   &kLogicalAnd, &kLogicalOr, &kLogicalNot};

}  // namespace

OpTable ComparisonOps() { return kTable; }

Value equal(Operand a, Operand b) { return EmitElementwise(kEqual, {a, b}); }
Value not_equal(Operand a, Operand b) { return EmitElementwise(kNotEqual, {a, b}); }
Value less(Operand a, Operand b) { return EmitElementwise(kLess, {a, b}); }
bool IsLessEqual(Value v) { return &v.node()->op() == &kLessEqual; }
Value less_equal(Operand a, Operand b) { return EmitElementwise(kLessEqual, {a, b}); }
Value greater(Operand a, Operand b) { return EmitElementwise(kGreater, {a, b}); }
Value greater_equal(Operand a, Operand b) { return EmitElementwise(kGreaterEqual, {a, b}); }
Value logical_and(Operand a, Operand b) { return EmitElementwise(kLogicalAnd, {a, b}); }
Value logical_or(Operand a, Operand b) { return EmitElementwise(kLogicalOr, {a, b}); }
Value logical_not(Operand x) { return EmitElementwise(kLogicalNot, {x}); }

}  // namespace gradus::ir
