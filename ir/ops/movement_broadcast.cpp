// broadcast and transpose: each result axis is an axis of the operand, or repeats it.

#include <algorithm>
#include <optional>

#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/leaf.h"
#include "ir/ops/lowering.h"
#include "ir/ops/movement.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

absl::StatusOr<Types> InferBroadcast(const InferContext& c) {
  const Type& x = c.operands[0];
  const Shape& shape = c.attr<Shape>("shape");
  const IntList& axes = c.attr<IntList>("axes");
  if (absl::Status s = CheckSizes(shape); !s.ok()) return s;
  if (absl::Status s = CheckLength("axes", axes.size(), x.rank()); !s.ok()) return s;
  if (absl::Status s = CheckAxes(axes, shape); !s.ok()) return s;
  for (int i = 0; i < x.rank(); ++i) {
    const auto axis = static_cast<int>(axes[static_cast<size_t>(i)]);
    if (x.shape[i] == shape[axis] || x.shape[i] == Dim(1)) continue;
    return TypeError(
        fmt::format("axis {} of {} does not stretch to axis {} of {}\nhelp: sizes must be "
                    "equal, or the operand's 1",
                    i, ToString(x.shape), axis, ToString(shape)));
  }
  return Types{Type{x.dtype, shape}};
}

bool Stretches(const Shape& from, int i, const Shape& to, const IntList& axes) {
  return from[i] != to[static_cast<int>(axes[static_cast<size_t>(i)])];
}

loop::Expr BroadcastAt(const loop::At& at) {
  const Shape& from = at.operand_type(0).shape;
  const IntList& axes = at.attr<IntList>("axes");
  Indices index;
  for (int i = 0; i < from.rank(); ++i) {
    const bool repeats = Stretches(from, i, at.type().shape, axes);
    index.push_back(repeats ? loop::Index(0)
                            : at.index()[static_cast<size_t>(axes[static_cast<size_t>(i)])]);
  }
  return at.Operand(0, index);
}

// Sums over the axes that repeat; those that were 1 come back.
Value BroadcastGradient(const Vjp& c) {
  const Shape& from = c.operand(0).shape();
  const Shape& to = c.grad.shape();
  const IntList& axes = c.node->attr<IntList>("axes");
  Axes summed;
  for (int64_t axis = 0; axis < to.rank(); ++axis) {
    const auto found = std::find(axes.begin(), axes.end(), axis);
    if (found == axes.end() || Stretches(from, static_cast<int>(found - axes.begin()), to, axes)) {
      summed.push_back(axis);
    }
  }
  if (summed.empty()) return c.grad;
  const Value sum = reduce_sum(c.grad, summed);
  return sum.shape() == from ? sum : reshape(sum, from);
}

// A reshape that only inserts axes of size 1 repeats as what it is of. Nullopt: it does more.
std::optional<Axes> AxesBeforeReshape(const Shape& from, const Shape& to, const IntList& outer) {
  Axes axes;
  int next = 0;
  for (int axis = 0; axis < to.rank(); ++axis) {
    if (next < from.rank() && from[next] == to[axis]) {
      axes.push_back(outer[static_cast<size_t>(axis)]);
      ++next;
    } else if (to[axis] != Dim(1)) {
      return std::nullopt;
    }
  }
  if (next < from.rank()) return std::nullopt;
  return axes;
}

Value SimplifyBroadcast(Node& n) {
  const Value x = n.operand(0);
  const Shape& shape = n.type().shape;
  if (x.shape() == shape) return x;  // axes are increasing, so each stays where it is
  if (SplatNumber(x)) return SplatLike(x, shape);
  const IntList& outer = n.attr<IntList>("axes");
  if (IsReshape(x)) {
    const Value inner = x.node()->operand(0);
    const std::optional<Axes> axes = AxesBeforeReshape(inner.shape(), x.shape(), outer);
    return axes ? broadcast(inner, shape, *axes) : Value();
  }
  if (!IsBroadcast(x)) return {};
  Axes axes;
  for (const int64_t axis : x.node()->attr<IntList>("axes")) {
    axes.push_back(outer[static_cast<size_t>(axis)]);
  }
  return broadcast(x.node()->operand(0), shape, axes);
}

absl::StatusOr<Types> InferTranspose(const InferContext& c) {
  const Type& x = c.operands[0];
  const IntList& permutation = c.attr<IntList>("permutation");
  if (absl::Status s = CheckLength("permutation", permutation.size(), x.rank()); !s.ok()) return s;
  IntList sorted = permutation;
  std::sort(sorted.begin(), sorted.end());
  if (absl::Status s = CheckAxes(sorted, x.shape); !s.ok()) return s;
  Type result{x.dtype, {}};
  for (const int64_t axis : permutation) result.shape.push_back(x.shape[static_cast<int>(axis)]);
  return Types{result};
}

loop::Expr TransposeAt(const loop::At& at) {
  const IntList& permutation = at.attr<IntList>("permutation");
  Indices index(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i) {
    index[static_cast<size_t>(permutation[i])] = at.index()[i];
  }
  return at.Operand(0, index);
}

Value TransposeGradient(const Vjp& c) {
  const IntList& permutation = c.node->attr<IntList>("permutation");
  Axes inverse(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i) {
    inverse[static_cast<size_t>(permutation[i])] = static_cast<int64_t>(i);
  }
  return transpose(c.grad, inverse);
}

Value SimplifyTranspose(Node& n) {
  const Value x = n.operand(0);
  const IntList& permutation = n.attr<IntList>("permutation");
  if (std::is_sorted(permutation.begin(), permutation.end())) return x;
  if (SplatNumber(x)) return SplatLike(x, n.type().shape);
  if (&x.node()->op() != &n.op()) return {};
  const IntList& inner = x.node()->attr<IntList>("permutation");
  Axes joined;
  for (const int64_t axis : permutation) joined.push_back(inner[static_cast<size_t>(axis)]);
  return transpose(x.node()->operand(0), joined);
}

Value BroadcastSteps(const OverSteps& c) {
  Shape shape{c.operands[0].shape()[0]};
  for (const Dim& d : c.step->attr<Shape>("shape")) shape.push_back(d);
  Axes axes = {0};
  for (const int64_t axis : c.step->attr<IntList>("axes")) axes.push_back(axis + 1);
  return broadcast(c.operands[0], shape, axes);
}

constinit const OpDef kBroadcast{
    .name = "broadcast",
    .summary = "x repeated along new axes and along axes of size 1",
    .operands = {"x"},
    .attrs = {AttrSpec{.name = "axes",
                       .kind = AttrKind::kIntList,
                       .summary = "the result axis of each operand axis, in increasing order"},
              AttrSpec{
                  .name = "shape", .kind = AttrKind::kShape, .summary = "shape of the result"}},
    .traits = kMovement,
    .infer = InferBroadcast,
    .vjp = {BroadcastGradient},
    .at = BroadcastAt,
    .simplify = SimplifyBroadcast,
    .over_steps = BroadcastSteps,
};

constinit const OpDef kTranspose{
    .name = "transpose",
    .summary = "x with its axes in another order",
    .operands = {"x"},
    .attrs = {AttrSpec{.name = "permutation",
                       .kind = AttrKind::kIntList,
                       .summary = "result axis i is operand axis permutation[i]"}},
    .traits = kMovement,
    .infer = InferTranspose,
    .vjp = {TransposeGradient},
    .at = TransposeAt,
    .simplify = SimplifyTranspose,
};

constexpr const OpDef* kTable[] = {&kBroadcast, &kTranspose};

}  // namespace

bool IsBroadcast(Value v) { return &v.node()->op() == &kBroadcast; }

OpTable BroadcastOps() { return kTable; }

Value broadcast(Operand x, const Shape& shape, Axes axes) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  for (int64_t& axis : axes) axis = NormalAxis(axis, shape.rank());
  return Emit(kBroadcast, {x}, {{"axes", std::move(axes)}, {"shape", shape}});
}

Value broadcast_to(Operand x, const Shape& shape) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  Axes axes;
  const int offset = shape.rank() - x.value().rank();
  for (int axis = 0; axis < x.value().rank(); ++axis) axes.push_back(axis + offset);
  return Emit(kBroadcast, {x}, {{"axes", std::move(axes)}, {"shape", shape}});
}

Value transpose(Operand x, Axes permutation) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  for (int64_t& axis : permutation) axis = NormalAxis(axis, x.value().rank());
  return Emit(kTranspose, {x}, {{"permutation", std::move(permutation)}});
}

}  // namespace gradus::ir
