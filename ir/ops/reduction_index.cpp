// count and argmax: numbers about axes, not differentiable.

#include <limits>

#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/leaf.h"
#include "ir/ops/lowering.h"
#include "ir/ops/reduction.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

absl::StatusOr<Types> InferCount(const InferContext& c) {
  const DType dtype = c.attr<DType>("dtype");
  if (absl::Status s = CheckDType(dtype, DTypes::kNumeric); !s.ok()) return s;
  if (absl::Status s = CheckAxes(c.attr<IntList>("axes"), c.operands[0].shape); !s.ok()) return s;
  return Types{Type{dtype, {}}};
}

loop::Expr CountAt(const loop::At& at) {
  loop::Extent elements(1);
  for (const int64_t axis : at.attr<IntList>("axes")) {
    elements = elements * loop::Extent(at.operand_type(0).shape[static_cast<int>(axis)]);
  }
  return Cast(at.type().dtype, at.ExtentValue(elements));
}

Value SimplifyCount(Node& n) {
  Shape counted;
  for (const int64_t axis : n.attr<IntList>("axes")) {
    counted.push_back(n.operand(0).shape()[static_cast<int>(axis)]);
  }
  const std::optional<int64_t> elements = counted.num_elements();
  if (!elements) return {};
  if (IsFloat(n.type().dtype))
    return constant(n.function(), n.type(), static_cast<double>(*elements));
  return constant_int(n.function(), n.type(), *elements);
}

absl::StatusOr<Types> InferArgmax(const InferContext& c) {
  const Type& x = c.operands[0];
  const int64_t axis = c.attr<int64_t>("axis");
  if (absl::Status s = CheckDType(x.dtype, DTypes::kNumeric); !s.ok()) return s;
  if (absl::Status s = CheckAxes({axis}, x.shape); !s.ok()) return s;
  if (x.shape[static_cast<int>(axis)] == Dim(0)) {
    return TypeError(fmt::format("there is no maximum along axis {} of {}, which has no elements",
                                 axis, ToString(x.shape)));
  }
  Type result{DType::kI64, {}};
  for (int i = 0; i < x.rank(); ++i) {
    if (i != axis) {
      result.shape.push_back(x.shape[i]);
    } else if (c.attr<bool>("keep_dims")) {
      result.shape.push_back(1);
    }
  }
  return Types{result};
}

// The least index at which the element equals the maximum, or is NaN if the maximum is.
loop::Expr ArgmaxAt(const loop::At& at) {
  const auto axis = static_cast<int>(at.attr<int64_t>("axis"));
  const Shape& shape = at.operand_type(0).shape;
  const loop::Extent extent(shape[axis]);
  // The search is a second loop over the axis, inside of which the maximum is a fixed number: two
  // variables.
  const loop::Variable* over = at.ReductionVariable(2 * axis, extent);
  const loop::Variable* search = at.ReductionVariable(2 * axis + 1, extent);
  Indices index;
  size_t next = 0;
  for (int i = 0; i < shape.rank(); ++i) {
    if (i == axis) {
      index.push_back(over);
      if (at.attr<bool>("keep_dims")) ++next;
    } else {
      index.push_back(at.index()[next++]);
    }
  }
  const loop::Expr candidate = at.Operand(0, index);
  const loop::Expr maximum = at.Reduce(loop::ReduceKind::kMax, {&over, 1}, candidate);
  index[static_cast<size_t>(axis)] = search;
  const loop::Expr x = at.Operand(0, index);
  loop::Expr hit = Eq(x, maximum);
  if (IsFloat(x.dtype())) hit = Or(hit, Ne(x, x));
  // Numbers that fit are searched for in vectors of the elements' own width.
  const bool fits = extent.is_number() && extent.number() <= std::numeric_limits<int32_t>::max();
  const DType dtype = fits ? DType::kI32 : DType::kI64;
  const loop::Expr place = Cast(dtype, at.IndexValue(search));
  const loop::Expr nowhere = Cast(dtype, at.ExtentValue(extent));
  return Cast(DType::kI64,
              at.Reduce(loop::ReduceKind::kMin, {&search, 1}, Select(hit, place, nowhere)));
}

constinit const OpDef kCount{
    .name = "count",
    .summary =
        "the number of elements along axes, as a scalar: known at run time where sizes are symbols",
    .operands = {"x"},
    .attrs = {AttrSpec{.name = "axes",
                       .kind = AttrKind::kIntList,
                       .summary = "counted axes, in increasing order"},
              AttrSpec{.name = "dtype",
                       .kind = AttrKind::kDType,
                       .summary = "element type of the result"}},
    // It depends on x's shape alone: any consumer may repeat it, and no gradient passes.
    .traits = kMovement | kStopsGradient | kTypeOnly,
    .infer = InferCount,
    .at = CountAt,
    .simplify = SimplifyCount,
};

constinit const OpDef kArgmax{
    .name = "argmax",
    .summary = "i64 index of the first maximum along an axis, of the first NaN if there is one",
    .operands = {"x"},
    .attrs = {AttrSpec{.name = "axis", .kind = AttrKind::kInt, .summary = "the axis searched"},
              AttrSpec{.name = "keep_dims",
                       .kind = AttrKind::kBool,
                       .summary = "whether the axis stays, with size 1",
                       .required = false}},
    .traits = kReduction,
    .infer = InferArgmax,
    .at = ArgmaxAt,
};

constexpr const OpDef* kTable[] = {&kCount, &kArgmax};

}  // namespace

OpTable IndexReductionOps() { return kTable; }

Value count(Operand x, Axes axes) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  return Emit(
      kCount, {x},
      {{"axes", NormalAxes(std::move(axes), x.value().rank())}, {"dtype", x.value().dtype()}});
}

Value argmax(Operand x, int64_t axis, bool keep_dims) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  return Emit(kArgmax, {x},
              {{"axis", NormalAxis(axis, x.value().rank())}, {"keep_dims", keep_dims}});
}

}  // namespace gradus::ir
