// select, cast, stop_gradient, by_phase.

#include <array>

#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"
#include "ir/ops/lowering.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

absl::StatusOr<Types> InferSelect(const InferContext& c) {
  const Type& condition = c.operands[0];
  const Type& a = c.operands[1];
  const Type& b = c.operands[2];
  if (absl::Status s = CheckDType(condition.dtype, DTypes::kBoolean); !s.ok()) return s;
  if (absl::Status s = CheckSameDType(a.dtype, b.dtype); !s.ok()) return s;
  if (absl::Status s = CheckSameShape(a.shape, b.shape); !s.ok()) return s;
  if (absl::Status s = CheckSameShape(condition.shape, a.shape); !s.ok()) return s;
  return Types{a};
}

loop::Expr SelectAt(const loop::At& at) {
  const loop::Expr condition = at.Operand(0);
  const loop::Expr a = at.Operand(1);
  const loop::Expr b = at.Operand(2);
  return Select(condition, a, b);
}

Value SimplifySelect(Node& n) {
  if (n.operand(1) == n.operand(2)) return n.operand(1);
  if (const std::optional<double> always = SplatNumber(n.operand(0))) {
    return n.operand(*always != 0 ? 1 : 2);
  }
  return {};
}

absl::StatusOr<Types> InferCast(const InferContext& c) {
  return Types{Type{c.attr<DType>("dtype"), c.operands[0].shape}};
}

// To i1: not zero (NaN counts). From i1: 0 or 1.
loop::Expr CastAt(const loop::At& at) {
  const loop::Expr x = at.Operand(0);
  const DType to = at.type().dtype;
  if (x.dtype() == to) return x;
  if (to == DType::kI1) {
    return IsFloat(x.dtype()) ? Ne(x, x.Const(0)) : Ne(x, x.IntConst(x.dtype(), 0));
  }
  if (x.dtype() == DType::kI1) {
    if (!IsFloat(to)) return Select(x, at.Integer(to, 1), at.Integer(to, 0));
    return Select(x, at.Float(1), at.Float(0));
  }
  return Cast(to, x);
}

Value SimplifyCast(Node& n) {
  const Value x = n.operand(0);
  if (x.dtype() == n.type().dtype) return x;
  // f32 -> f64 -> f32 gives the same number again; so do i32 -> i64 -> i32 and i1 -> any number ->
  // i1.
  const Node& inner = *x.node();
  if (&inner.op() != &n.op() || inner.operand(0).dtype() != n.type().dtype) return {};
  const DType narrow = n.type().dtype, wide = x.dtype();
  const bool holds = (narrow == DType::kF32 && wide == DType::kF64) ||
                     (narrow == DType::kI32 && (wide == DType::kI64 || wide == DType::kF64)) ||
                     narrow == DType::kI1;
  return holds ? inner.operand(0) : Value();
}

// Where operand 2 was taken. Of x <= 0 ? 0 : x the result says it, too, which is kept anyway where
// the condition would be kept for this alone.
Value TookFirst(const Vjp& c) {
  const Value condition = c.operand(0), x = c.operand(2);
  const bool is_relu = IsLessEqual(condition) && condition.node()->operand(0) == x &&
                       IsSplat(condition.node()->operand(1), 0) && IsSplat(c.operand(1), 0);
  return is_relu ? less_equal(c.result(), 0) : condition;
}

loop::Expr Same(loop::Expr x) { return x; }

constinit const OpDef kSelect{
    .name = "select",
    .summary = "where the condition holds a, elsewhere b",
    .operands = {"condition", "a", "b"},
    .traits = kPointwise,
    .infer = InferSelect,
    .vjp = {nullptr, [](const Vjp& c) { return select(c.node->operand(0), c.grad, 0); },
            [](const Vjp& c) { return select(TookFirst(c), 0, c.grad); }},
    .at = SelectAt,
    .simplify = SimplifySelect,
};

constinit const OpDef kCast{
    .name = "cast",
    .summary =
        "each element as another element type; float to integer truncates and saturates, NaN gives "
        "0",
    .operands = {"x"},
    .attrs = {AttrSpec{
        .name = "dtype", .kind = AttrKind::kDType, .summary = "element type of the result"}},
    .traits = kPointwise,
    .infer = InferCast,
    .vjp = {[](const Vjp& c) { return cast(c.grad, c.operand(0).dtype()); }},
    .at = CastAt,
    .simplify = SimplifyCast,
};

constinit const OpDef kStopGradient{
    .name = "stop_gradient",
    .summary = "x itself, taken as a constant by differentiation",
    .operands = {"x"},
    .traits = kPointwise | kStopsGradient,
    .infer = SameAsFirst,
    .at = Pointwise<Same>,
};

absl::StatusOr<Types> InferByPhase(const InferContext& c) {
  const Type& training = c.operands[0];
  const Type& otherwise = c.operands[1];
  if (absl::Status s = CheckSameDType(training.dtype, otherwise.dtype); !s.ok()) return s;
  if (absl::Status s = CheckSameShape(training.shape, otherwise.shape); !s.ok()) return s;
  return Types{training};
}

// Training entries choose operand 0 before any pass (frontend/phase.h); whatever still holds the op
// when it is compiled does not train.
constinit const OpDef kByPhaseOp{
    .name = "by_phase",
    .summary = "training where a training step is built from the graph, otherwise everywhere else",
    .operands = {"training", "otherwise"},
    .traits = kPointwise | kByPhase,
    .infer = InferByPhase,
    .vjp = {[](const Vjp& c) { return by_phase(c.grad, zeros_like(c.grad)); },
            [](const Vjp& c) { return by_phase(zeros_like(c.grad), c.grad); }},
    .at = [](const loop::At& at) { return at.Operand(1); },
    .simplify = [](Node& n) { return n.operand(1); },
};

constexpr const OpDef* kTable[] = {&kSelect, &kCast, &kStopGradient, &kByPhaseOp};

}  // namespace

OpTable SelectionOps() { return kTable; }

Value select(Operand condition, Operand a, Operand b) {
  return EmitElementwise(kSelect, {condition, a, b}, 1);
}

Value cast(Operand x, DType dtype) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  if (x.value().dtype() == dtype) return x.value();
  return Emit(kCast, {x}, {{"dtype", dtype}});
}

Value by_phase(Operand training, Operand otherwise) {
  return EmitElementwise(kByPhaseOp, {training, otherwise});
}

Value stop_gradient(Operand x) { return EmitElementwise(kStopGradient, {x}); }

}  // namespace gradus::ir
