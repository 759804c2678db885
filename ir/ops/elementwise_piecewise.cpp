// maximum, minimum, abs, sign, floor: piecewise linear, with a rule for what happens at the joints.

#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/lowering.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

// The winner's share of the gradient: all of it, half at a tie, none else (and none beside a NaN).
Value ShareWhere(Value wins, const Vjp& c) {
  const Value tie = equal(c.operand(0), c.operand(1));
  const Value half = c.grad * 0.5;
  const Value otherwise = select(tie, half, 0.0);
  return select(wins, c.grad, otherwise);
}

Value MaximumGradient(const Vjp& c, int winner) {
  return ShareWhere(greater(c.operand(winner), c.operand(1 - winner)), c);
}
Value MinimumGradient(const Vjp& c, int winner) {
  return ShareWhere(less(c.operand(winner), c.operand(1 - winner)), c);
}

Value SimplifyExtremum(Node& n) { return n.operand(0) == n.operand(1) ? n.operand(0) : Value(); }

bool IsAbs(Value v);
Value SimplifyAbs(Node& n) { return IsAbs(n.operand(0)) ? n.operand(0) : Value(); }

bool IsFloor(Value v);
Value SimplifyFloor(Node& n) {
  const Value x = n.operand(0);
  return IsFloor(x) || IsInteger(x.dtype()) ? x : Value();
}

loop::Expr AbsInteger(loop::Expr x) {
  const loop::Expr zero = x.IntConst(x.dtype(), 0);
  const loop::Expr negated = zero - x;
  return Select(Lt(x, zero), negated, x);
}

loop::Expr SignFloat(loop::Expr x) {
  const loop::Expr zero = x.Const(0);
  const loop::Expr below = Select(Lt(x, zero), x.Const(-1), x);
  return Select(Lt(zero, x), x.Const(1), below);
}

loop::Expr SignInteger(loop::Expr x) {
  const loop::Expr zero = x.IntConst(x.dtype(), 0);
  const loop::Expr below = Select(Lt(x, zero), x.IntConst(x.dtype(), -1), zero);
  return Select(Lt(zero, x), x.IntConst(x.dtype(), 1), below);
}

loop::Expr FloorInteger(loop::Expr x) { return x; }

constinit const OpDef kMaximum{
    .name = "maximum",
    .summary = "the larger of two elements, NaN if either is; gradient at a tie: half to each",
    .operands = {"a", "b"},
    .traits = kPointwise,
    .infer = TwoAlikeNumeric,
    .vjp = {[](const Vjp& c) { return MaximumGradient(c, 0); },
            [](const Vjp& c) { return MaximumGradient(c, 1); }},
    .at = Pointwise2<&loop::Max>,
    .simplify = SimplifyExtremum,
};

constinit const OpDef kMinimum{
    .name = "minimum",
    .summary = "the smaller of two elements, NaN if either is; gradient at a tie: half to each",
    .operands = {"a", "b"},
    .traits = kPointwise,
    .infer = TwoAlikeNumeric,
    .vjp = {[](const Vjp& c) { return MinimumGradient(c, 0); },
            [](const Vjp& c) { return MinimumGradient(c, 1); }},
    .at = Pointwise2<&loop::Min>,
    .simplify = SimplifyExtremum,
};

constinit const OpDef kAbs{
    .name = "abs",
    .summary = "absolute value of each element; gradient 0 at 0",
    .operands = {"x"},
    .traits = kPointwise,
    .infer = SameAsFirstNumeric,
    .vjp = {[](const Vjp& c) {
      const Value at_zero = equal(c.operand(0), 0);
      const Value not_below = select(at_zero, 0, c.grad);
      const Value below = less(c.operand(0), 0);
      const Value negated = neg(c.grad);
      return select(below, negated, not_below);
    }},
    .at = PointwiseByDType<&loop::Abs, AbsInteger>,
    .simplify = SimplifyAbs,
};

constinit const OpDef kSign{
    .name = "sign",
    .summary =
        "-1, 0 or 1 as each element is negative, zero or positive; NaN stays. Not differentiable",
    .operands = {"x"},
    .traits = kPointwise,
    .infer = SameAsFirstNumeric,
    .at = PointwiseByDType<SignFloat, SignInteger>,
};

constinit const OpDef kFloor{
    .name = "floor",
    .summary = "the largest whole number not above each element. Not differentiable",
    .operands = {"x"},
    .traits = kPointwise,
    .infer = SameAsFirstNumeric,
    .at = PointwiseByDType<&loop::Floor, FloorInteger>,
    .simplify = SimplifyFloor,
};

bool IsAbs(Value v) { return &v.node()->op() == &kAbs; }
bool IsFloor(Value v) { return &v.node()->op() == &kFloor; }

constexpr const OpDef* kTable[] = {&kMaximum, &kMinimum, &kAbs, &kSign, &kFloor};

}  // namespace

OpTable PiecewiseOps() { return kTable; }

Value maximum(Operand a, Operand b) { return EmitElementwise(kMaximum, {a, b}); }
Value minimum(Operand a, Operand b) { return EmitElementwise(kMinimum, {a, b}); }
Value abs(Operand x) { return EmitElementwise(kAbs, {x}); }
Value sign(Operand x) { return EmitElementwise(kSign, {x}); }
Value floor(Operand x) { return EmitElementwise(kFloor, {x}); }

}  // namespace gradus::ir
