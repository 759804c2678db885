// gather, take_along_axis and their gradients, the scatter_adds.

#include "ir/ops/indexing.h"

#include "fmt/format.h"
#include "ir/loop/emission.h"
#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/lowering.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

absl::Status CheckIndices(const Type& indices) {
  if (IsInteger(indices.dtype)) return absl::OkStatus();
  return TypeError(
      fmt::format("indices are i32 or i64, got {}\nhelp: cast them", Name(indices.dtype)));
}

// `shape` with its axis replaced by the axes of `indices`.
Shape Replaced(const Shape& shape, int axis, const Shape& indices) {
  Shape result;
  for (int i = 0; i < axis; ++i) result.push_back(shape[i]);
  for (const Dim& d : indices) result.push_back(d);
  for (int i = axis + 1; i < shape.rank(); ++i) result.push_back(shape[i]);
  return result;
}

absl::Status CheckAgree(const Shape& a, const Shape& b, int64_t axis) {
  bool agree = a.rank() == b.rank();
  for (int i = 0; agree && i < a.rank(); ++i) agree = i == axis || a[i] == b[i];
  if (agree) return absl::OkStatus();
  return TypeError(
      fmt::format("{} and {} may differ along axis {} only", ToString(a), ToString(b), axis));
}

absl::StatusOr<Types> InferGather(const InferContext& c) {
  const Type &x = c.operands[0], &indices = c.operands[1];
  const int64_t axis = c.attr<int64_t>("axis");
  if (absl::Status s = CheckIndices(indices); !s.ok()) return s;
  if (absl::Status s = CheckAxes({axis}, x.shape); !s.ok()) return s;
  return Types{Type{x.dtype, Replaced(x.shape, static_cast<int>(axis), indices.shape)}};
}

absl::StatusOr<Types> InferTakeAlongAxis(const InferContext& c) {
  const Type &x = c.operands[0], &indices = c.operands[1];
  const int64_t axis = c.attr<int64_t>("axis");
  if (absl::Status s = CheckIndices(indices); !s.ok()) return s;
  if (absl::Status s = CheckAxes({axis}, x.shape); !s.ok()) return s;
  if (absl::Status s = CheckAgree(x.shape, indices.shape, axis); !s.ok()) return s;
  return Types{Type{x.dtype, indices.shape}};
}

absl::Status CheckScatter(const InferContext& c) {
  if (absl::Status s = CheckIndices(c.operands[0]); !s.ok()) return s;
  if (absl::Status s = CheckDType(c.operands[1].dtype, DTypes::kNumeric); !s.ok()) return s;
  if (absl::Status s = CheckSizes(c.attr<Shape>("shape")); !s.ok()) return s;
  return CheckAxes({c.attr<int64_t>("axis")}, c.attr<Shape>("shape"));
}

absl::StatusOr<Types> InferScatterAdd(const InferContext& c) {
  if (absl::Status s = CheckScatter(c); !s.ok()) return s;
  const Type &indices = c.operands[0], &updates = c.operands[1];
  const Shape& shape = c.attr<Shape>("shape");
  const Shape expected = Replaced(shape, static_cast<int>(c.attr<int64_t>("axis")), indices.shape);
  if (!(updates.shape == expected)) {
    return TypeError(fmt::format("updates are {}, expected {} for indices {} into {}",
                                 ToString(updates.shape), ToString(expected),
                                 ToString(indices.shape), ToString(shape)));
  }
  return Types{Type{updates.dtype, shape}};
}

absl::StatusOr<Types> InferScatterAddAlongAxis(const InferContext& c) {
  if (absl::Status s = CheckScatter(c); !s.ok()) return s;
  const Type &indices = c.operands[0], &updates = c.operands[1];
  const Shape& shape = c.attr<Shape>("shape");
  if (absl::Status s = CheckSameShape(indices.shape, updates.shape); !s.ok()) return s;
  if (absl::Status s = CheckAgree(shape, updates.shape, c.attr<int64_t>("axis")); !s.ok()) return s;
  return Types{Type{updates.dtype, shape}};
}

loop::Expr ZeroLike(loop::Expr x) {
  return IsFloat(x.dtype()) ? x.Const(0) : x.IntConst(x.dtype(), 0);
}

// Operand 0 at `index`, where index[axis] is what the scalar `place` says; 0 if it says nowhere.
loop::Expr ReadAt(const loop::At& at, std::span<const loop::Index> index, int axis,
                  loop::Expr place) {
  place = Cast(DType::kI64, place);
  const loop::Extent extent(at.operand_type(0).shape[axis]);
  const loop::Expr zero = at.Integer(DType::kI64, 0);
  const loop::Expr end = at.ExtentValue(extent);
  const loop::Expr inside = And(Le(zero, place), Lt(place, end));
  const loop::Expr x = at.OperandAt(0, index, axis, Select(inside, place, zero));
  // An axis of open size may have no elements at all, not even the one that stands for all that are
  // outside.
  const loop::Condition any{
      loop::Index(0), loop::Index(0),
      extent.is_number() ? loop::Index(extent.number()) : loop::Index::Of(extent)};
  return at.Guard({&any, 1}, Select(inside, x, ZeroLike(x)));
}

loop::Expr GatherAt(const loop::At& at) {
  const auto axis = static_cast<size_t>(at.attr<int64_t>("axis"));
  const auto chosen = static_cast<size_t>(at.operand_type(1).rank());
  const loop::Expr place = at.Operand(1, at.index().subspan(axis, chosen));
  Indices index;
  for (size_t i = 0; i < axis; ++i) index.push_back(at.index()[i]);
  index.push_back(loop::Index(0));
  for (size_t i = axis + chosen; i < at.index().size(); ++i) index.push_back(at.index()[i]);
  return ReadAt(at, index, static_cast<int>(axis), place);
}

loop::Expr TakeAlongAxisAt(const loop::At& at) {
  const auto axis = static_cast<size_t>(at.attr<int64_t>("axis"));
  const loop::Expr place = at.Operand(1);
  Indices index(at.index().begin(), at.index().end());
  index[axis] = loop::Index(0);
  return ReadAt(at, index, static_cast<int>(axis), place);
}

// One update after the other, each to where its index says.
void EmitScatterAdd(const loop::Emission& e) {
  const auto axis = static_cast<size_t>(e.attr<int64_t>("axis"));
  const auto chosen = static_cast<size_t>(e.operand_type(0).rank());
  e.Clear();
  const std::vector<const loop::Variable*> loops = e.Loops(e.operand_type(1).shape);
  const Indices from(loops.begin(), loops.end());
  const loop::At at = e.at(from);
  const loop::Expr place = Cast(DType::kI64, at.Operand(0, at.index().subspan(axis, chosen)));
  const loop::Expr update = at.Operand(1);
  Indices to(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(axis));
  to.push_back(loop::Index(0));
  to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(axis + chosen), from.end());
  e.Add(loops, to, static_cast<int>(axis), place, update);
}

void EmitScatterAddAlongAxis(const loop::Emission& e) {
  e.Clear();
  const std::vector<const loop::Variable*> loops = e.Loops(e.operand_type(1).shape);
  const Indices index(loops.begin(), loops.end());
  const loop::At at = e.at(index);
  const loop::Expr place = Cast(DType::kI64, at.Operand(0));
  const loop::Expr update = at.Operand(1);
  e.Add(loops, index, static_cast<int>(e.attr<int64_t>("axis")), place, update);
}

constexpr AttrSpec kAxis{.name = "axis", .kind = AttrKind::kInt, .summary = "the axis indexed"};
constexpr AttrSpec kShape{
    .name = "shape", .kind = AttrKind::kShape, .summary = "shape of the result"};

constinit const OpDef kGather{
    .name = "gather",
    .summary = "the parts of x along an axis that indices choose; 0 where an index is outside",
    .operands = {"x", "indices"},
    .attrs = {kAxis},
    .traits = kGathers,
    .infer = InferGather,
    .vjp = {[](const Vjp& c) {
      return scatter_add(c.operand(1), c.grad, c.node->attr<int64_t>("axis"), c.operand(0).shape());
    }},
    .at = GatherAt,
};

constinit const OpDef kTakeAlongAxis{
    .name = "take_along_axis",
    .summary =
        "for each element of indices, x at its place with the index along one axis; 0 outside",
    .operands = {"x", "indices"},
    .attrs = {kAxis},
    .traits = kGathers,
    .infer = InferTakeAlongAxis,
    .vjp = {[](const Vjp& c) {
      return scatter_add_along_axis(c.operand(1), c.grad, c.node->attr<int64_t>("axis"),
                                    c.operand(0).shape());
    }},
    .at = TakeAlongAxisAt,
};

constinit const OpDef kScatterAdd{
    .name = "scatter_add",
    .summary = "zeros, to which parts of updates are added where indices say along an axis",
    .operands = {"indices", "updates"},
    .attrs = {kAxis, kShape},
    .traits = kReduction,
    .infer = InferScatterAdd,
    .vjp = {nullptr,
            [](const Vjp& c) {
              return gather(c.grad, c.operand(0), c.node->attr<int64_t>("axis"));
            }},
    .emit = EmitScatterAdd,
};

constinit const OpDef kScatterAddAlongAxis{
    .name = "scatter_add_along_axis",
    .summary =
        "zeros, to which each of updates is added at its place with the index along one axis",
    .operands = {"indices", "updates"},
    .attrs = {kAxis, kShape},
    .traits = kReduction,
    .infer = InferScatterAddAlongAxis,
    .vjp = {nullptr,
            [](const Vjp& c) {
              return take_along_axis(c.grad, c.operand(0), c.node->attr<int64_t>("axis"));
            }},
    .emit = EmitScatterAddAlongAxis,
};

constexpr const OpDef* kTable[] = {&kGather, &kTakeAlongAxis, &kScatterAdd, &kScatterAddAlongAxis};

// The op with both operands as values: a number among them is of `number_type`.
Value EmitIndexed(const OpDef& op, const Operand& a, const Operand& b, const Type& number_type,
                  AttrList attrs) {
  Function& f = (a.is_number() ? b : a).value().function();
  const auto value = [&](const Operand& o) {
    return o.is_number() ? NumberAs(f, number_type, o) : o;
  };
  const Operand first = value(a);
  const Operand second = value(b);
  return Emit(op, {first, second}, std::move(attrs));
}

constexpr DType kIndexType = DType::kI64;

}  // namespace

OpTable IndexingOps() { return kTable; }

Value gather(Operand x, Operand indices, int64_t axis) {
  if (std::optional<Value> stop = Stopped({x, indices})) return *stop;
  const int rank = x.is_number() ? 0 : x.value().rank();
  return EmitIndexed(kGather, x, indices, {kIndexType, {}}, {{"axis", NormalAxis(axis, rank)}});
}

Value take_along_axis(Operand x, Operand indices, int64_t axis) {
  if (std::optional<Value> stop = Stopped({x, indices})) return *stop;
  const int rank = x.is_number() ? 0 : x.value().rank();
  return EmitIndexed(kTakeAlongAxis, x, indices, {kIndexType, {}},
                     {{"axis", NormalAxis(axis, rank)}});
}

Value scatter_add(Operand indices, Operand updates, int64_t axis, const Shape& shape) {
  if (std::optional<Value> stop = Stopped({indices, updates})) return *stop;
  return EmitIndexed(kScatterAdd, indices, updates, {kIndexType, {}},
                     {{"axis", NormalAxis(axis, shape.rank())}, {"shape", shape}});
}

Value scatter_add_along_axis(Operand indices, Operand updates, int64_t axis, const Shape& shape) {
  if (std::optional<Value> stop = Stopped({indices, updates})) return *stop;
  return EmitIndexed(kScatterAddAlongAxis, indices, updates, {kIndexType, {}},
                     {{"axis", NormalAxis(axis, shape.rank())}, {"shape", shape}});
}

}  // namespace gradus::ir
