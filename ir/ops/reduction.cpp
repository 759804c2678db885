// reduce_sum, reduce_max, reduce_min, reduce_prod, and reduce_mean made of a sum and a count.

#include "ir/ops/reduction.h"

#include <algorithm>
#include <utility>

#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/lowering.h"
#include "ir/ops/movement.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

bool Contains(const IntList& axes, int64_t axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

absl::StatusOr<Types> InferReduce(const InferContext& c) {
  const Type& x = c.operands[0];
  const IntList& axes = c.attr<IntList>("axes");
  if (absl::Status s = CheckDType(x.dtype, DTypes::kNumeric); !s.ok()) return s;
  if (absl::Status s = CheckAxes(axes, x.shape); !s.ok()) return s;
  Type result{x.dtype, {}};
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (!Contains(axes, axis)) {
      result.shape.push_back(x.shape[axis]);
    } else if (c.attr<bool>("keep_dims")) {
      result.shape.push_back(1);
    }
  }
  return Types{result};
}

template <loop::ReduceKind kKind>
loop::Expr ReduceAt(const loop::At& at) {
  const IntList& axes = at.attr<IntList>("axes");
  const Shape& shape = at.operand_type(0).shape;
  const bool keep_dims = at.attr<bool>("keep_dims");
  absl::InlinedVector<const loop::Variable*, 4> variables;
  Indices index;
  size_t next = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (!Contains(axes, axis)) {
      index.push_back(at.index()[next++]);
      continue;
    }
    variables.push_back(at.ReductionVariable(axis, loop::Extent(shape[axis])));
    index.push_back(variables.back());
    if (keep_dims) ++next;
  }
  const loop::Expr x = at.Operand(0, index);
  return variables.empty() ? x : at.Reduce(kKind, variables, x);
}

// With `keep_dims` it is another shape of the plain reduction, so that equal reductions are equal
// nodes.
Value SimplifyReduce(Node& n) {
  const IntList& axes = n.attr<IntList>("axes");
  if (axes.empty()) return n.operand(0);
  if (!n.attr<bool>("keep_dims")) return {};
  return reshape(Emit(n.op(), {n.operand(0)}, {{"axes", axes}, {"keep_dims", false}}),
                 n.type().shape);
}

// A value of the reduction's result type, repeated along the axes that it reduced.
Value Spread(Value v, const Node& reduction) {
  const Shape& shape = reduction.operand(0).shape();
  const IntList& reduced = reduction.attr<IntList>("axes");
  Axes axes;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (reduction.attr<bool>("keep_dims") || !Contains(reduced, axis)) axes.push_back(axis);
  }
  return broadcast(v, shape, axes);
}

// The reduction of v, of x's shape, by `op` over the axes that this one reduces. (A builder takes
// no axes for all.)
Value ReduceAlike(const OpDef& op, Value v, const Node& reduction) {
  return Emit(op, {v}, reduction.attrs());
}

extern const OpDef kReduceSum, kReduceProd;

Value SumGradient(const Vjp& c) { return Spread(c.grad, *c.node); }

// Equal shares for all elements that equal the extremum.
Value ExtremumGradient(const Vjp& c) {
  const Value x = c.operand(0);
  const Value extremum = Spread(c.result(), *c.node);
  const Value hit = equal(x, extremum);
  const Value one_each = cast(hit, x.dtype());
  const Value hits = ReduceAlike(kReduceSum, one_each, *c.node);
  const Value share = c.grad / hits;
  return select(hit, Spread(share, *c.node), 0);
}

// The product of the others: with no zero among them all, result / x; with one zero, for that one
// the product of the others, for these 0; with more, 0. So the first derivative is right at zeros;
// at a zero the second is that of this formula, which takes the number of zeros as given.
Value ProductGradient(const Vjp& c) {
  const Value x = c.operand(0);
  const Value is_zero = equal(x, 0);
  const Value zeros = ReduceAlike(kReduceSum, cast(is_zero, x.dtype()), *c.node);
  const Value safe = select(is_zero, 1, x);
  const Value nonzero_product = ReduceAlike(kReduceProd, safe, *c.node);
  const Value scaled = c.grad * nonzero_product;
  const Value none = equal(zeros, 0);
  const Value without_zeros = Spread(select(none, scaled, 0), *c.node) / safe;
  const Value one = equal(zeros, 1);
  const Value of_the_zero = Spread(select(one, scaled, 0), *c.node);
  return select(is_zero, of_the_zero, without_zeros);
}

constexpr FixedList<AttrSpec, 6> kAttrs{
    AttrSpec{
        .name = "axes", .kind = AttrKind::kIntList, .summary = "reduced axes, in increasing order"},
    AttrSpec{.name = "keep_dims",
             .kind = AttrKind::kBool,
             .summary = "whether reduced axes stay, with size 1",
             .required = false},
};

template <loop::ReduceKind kKind>
constexpr OpDef Reduction(std::string_view name, std::string_view summary, VjpRule gradient) {
  return {
      .name = name,
      .summary = summary,
      .operands = {"x"},
      .attrs = kAttrs,
      .traits = kReduction,
      .infer = InferReduce,
      .vjp = {gradient},
      .at = ReduceAt<kKind>,
      .simplify = SimplifyReduce,
  };
}

// The same axes of all steps, or with them that of the steps.
Value ReduceSteps(const OverSteps& c, bool sum) {
  if (!c.stacked[0] || (sum && c.step->attr<bool>("keep_dims"))) return {};
  IntList axes;
  if (sum) axes.push_back(0);
  for (const int64_t axis : c.step->attr<IntList>("axes")) axes.push_back(axis + 1);
  return Emit(c.step->op(), {c.operands[0]},
              {{"axes", std::move(axes)}, {"keep_dims", c.step->attr<bool>("keep_dims")}});
}

constexpr OpDef WithSteps(OpDef sum) {
  sum.over_steps = [](const OverSteps& c) { return ReduceSteps(c, false); };
  sum.sum_over_steps = [](const OverSteps& c) { return ReduceSteps(c, true); };
  return sum;
}

constinit const OpDef kReduceSum = WithSteps(Reduction<loop::ReduceKind::kSum>(
    "reduce_sum", "sum over axes; 0 over no elements", SumGradient));

constinit const OpDef kReduceMax = Reduction<loop::ReduceKind::kMax>(
    "reduce_max",
    "maximum over axes, NaN if one is; -inf (of integers the least) over no elements; gradient at "
    "a tie: equal shares",
    ExtremumGradient);

constinit const OpDef kReduceMin = Reduction<loop::ReduceKind::kMin>(
    "reduce_min",
    "minimum over axes, NaN if one is; inf (of integers the greatest) over no elements; gradient "
    "at a tie: equal shares",
    ExtremumGradient);

constinit const OpDef kReduceProd = Reduction<loop::ReduceKind::kProd>(
    "reduce_prod", "product over axes; 1 over no elements", ProductGradient);

constexpr const OpDef* kTable[] = {&kReduceSum, &kReduceMax, &kReduceMin, &kReduceProd};

Value EmitReduce(const OpDef& op, const Operand& x, Axes axes, bool keep_dims) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  axes = NormalAxes(std::move(axes), x.value().rank());
  return Emit(op, {x}, {{"axes", std::move(axes)}, {"keep_dims", keep_dims}});
}

}  // namespace

OpTable ReductionOps() { return kTable; }

Value reduce_sum(Operand x, Axes axes, bool keep_dims) {
  return EmitReduce(kReduceSum, x, std::move(axes), keep_dims);
}
Value reduce_max(Operand x, Axes axes, bool keep_dims) {
  return EmitReduce(kReduceMax, x, std::move(axes), keep_dims);
}
Value reduce_min(Operand x, Axes axes, bool keep_dims) {
  return EmitReduce(kReduceMin, x, std::move(axes), keep_dims);
}
Value reduce_prod(Operand x, Axes axes, bool keep_dims) {
  return EmitReduce(kReduceProd, x, std::move(axes), keep_dims);
}

Value reduce_mean(Operand x, Axes axes, bool keep_dims) {
  const CallerScope scope({x});
  const Value sum = reduce_sum(x, axes, keep_dims);
  const Value elements = count(x, std::move(axes));
  return sum / elements;
}

}  // namespace gradus::ir
