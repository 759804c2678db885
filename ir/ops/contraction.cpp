#include "ir/ops/contraction.h"

#include <algorithm>

#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/lowering.h"
#include "ir/ops/movement.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

// Half-open range of axes.
struct AxisRange {
  int begin = 0, end = 0;
  int size() const { return end - begin; }
};

// Which axes are what. `batch` is [0, batch) of a, b and the result.
struct Form {
  int batch = 0;
  AxisRange a_rows, a_k, b_k;
  int b_column = 0;
};

absl::StatusOr<Form> FormOf(const Shape& a, const Shape& b, int64_t batch, bool transpose_a,
                            bool transpose_b) {
  const auto refuse = [&](std::string_view why) {
    return TypeError(fmt::format("{} times {}: {}", ToString(a), ToString(b), why));
  };
  if (batch < 0 || batch > a.rank() || batch > b.rank()) {
    return refuse(fmt::format("there are no {} leading axes that both have", batch));
  }
  Form form;
  form.batch = static_cast<int>(batch);
  for (int axis = 0; axis < form.batch; ++axis) {
    if (a[axis] == b[axis]) continue;
    return refuse(
        fmt::format("batch axis {} differs ({}, {})", axis, ToString(a[axis]), ToString(b[axis])));
  }
  const int a_axes = a.rank() - form.batch, b_axes = b.rank() - form.batch;
  if (a_axes < 1)
    return refuse("the left operand needs an inner axis\nhelp: reshape it to [1, ...]");
  if (b_axes < 1)
    return refuse("the right operand needs a column axis\nhelp: reshape it to [..., 1]");
  if (transpose_b && b_axes != 2) {
    return refuse(
        fmt::format("a transposed right operand is [columns, inner], this one has {} axes "
                    "after {} batch axes",
                    b_axes, form.batch));
  }
  if (transpose_a) {
    form.a_k = {form.batch, a.rank() - 1};
    form.a_rows = {a.rank() - 1, a.rank()};
  } else {
    form.a_rows = {form.batch, a.rank() - 1};
    form.a_k = {a.rank() - 1, a.rank()};
  }
  if (transpose_b) {
    form.b_column = form.batch;
    form.b_k = {form.batch + 1, form.batch + 2};
  } else {
    form.b_k = {form.batch, b.rank() - 1};
    form.b_column = b.rank() - 1;
  }
  if (form.a_k.size() != form.b_k.size()) {
    return refuse(fmt::format("{} inner axes on the left, {} on the right", form.a_k.size(),
                              form.b_k.size()));
  }
  for (int k = 0; k < form.a_k.size(); ++k) {
    const Dim& x = a[form.a_k.begin + k];
    const Dim& y = b[form.b_k.begin + k];
    if (x == y) continue;
    return refuse(fmt::format("the inner sizes differ ({}, {})", ToString(x), ToString(y)));
  }
  return form;
}

absl::StatusOr<Types> InferMatmul(const InferContext& c) {
  const Type& a = c.operands[0];
  const Type& b = c.operands[1];
  if (absl::Status s = CheckDType(a.dtype, DTypes::kNumeric); !s.ok()) return s;
  if (absl::Status s = CheckSameDType(a.dtype, b.dtype); !s.ok()) return s;
  absl::StatusOr<Form> form = FormOf(a.shape, b.shape, c.attr<int64_t>("batch"),
                                     c.attr<bool>("transpose_a"), c.attr<bool>("transpose_b"));
  if (!form.ok()) return form.status();
  Type result{a.dtype, {}};
  for (int axis = 0; axis < form->batch; ++axis) result.shape.push_back(a.shape[axis]);
  for (int axis = form->a_rows.begin; axis < form->a_rows.end; ++axis) {
    result.shape.push_back(a.shape[axis]);
  }
  result.shape.push_back(b.shape[form->b_column]);
  return Types{result};
}

loop::Expr MatmulAt(const loop::At& at) {
  const Shape& a_shape = at.operand_type(0).shape;
  const Form form = FormOf(a_shape, at.operand_type(1).shape, at.attr<int64_t>("batch"),
                           at.attr<bool>("transpose_a"), at.attr<bool>("transpose_b"))
                        .value();
  absl::InlinedVector<const loop::Variable*, 4> variables;
  Indices a_index(static_cast<size_t>(a_shape.rank()));
  Indices b_index(static_cast<size_t>(at.operand_type(1).shape.rank()));
  size_t next = 0;
  for (int axis = 0; axis < form.batch; ++axis, ++next) {
    a_index[next] = b_index[next] = at.index()[next];
  }
  for (int axis = form.a_rows.begin; axis < form.a_rows.end; ++axis) {
    a_index[static_cast<size_t>(axis)] = at.index()[next++];
  }
  b_index[static_cast<size_t>(form.b_column)] = at.index()[next];
  for (int k = 0; k < form.a_k.size(); ++k) {
    const int a_axis = form.a_k.begin + k;
    const int b_axis = form.b_k.begin + k;
    variables.push_back(at.ReductionVariable(k, loop::Extent(a_shape[a_axis])));
    a_index[static_cast<size_t>(a_axis)] = variables.back();
    b_index[static_cast<size_t>(b_axis)] = variables.back();
  }
  const loop::Expr a = at.Operand(0, a_index);
  const loop::Expr b = at.Operand(1, b_index);
  const loop::Expr product = a * b;
  return variables.empty() ? product : at.Reduce(loop::ReduceKind::kSum, variables, product);
}

MatmulOptions OptionsOf(const Node& n) {
  return {.batch = static_cast<int>(n.attr<int64_t>("batch")),
          .transpose_a = n.attr<bool>("transpose_a"),
          .transpose_b = n.attr<bool>("transpose_b")};
}

// The gradients of a product are products of the same op. With g of the result's type, up to batch
// axes:
//
//   product            left operand's gradient        right operand's
//   a b                g bT                           aT g
//   aT b               b gT                           a g
//   a bT               g b                            gT a
//   aT bT              bT gT                          gT aT
Value LeftGradient(const Vjp& c) {
  const MatmulOptions o = OptionsOf(*c.node);
  const Value b = c.operand(1);
  if (!o.transpose_a) return matmul(c.grad, b, {o.batch, false, !o.transpose_b});
  return matmul(b, c.grad, {o.batch, o.transpose_b, true});
}
Value RightGradient(const Vjp& c) {
  const MatmulOptions o = OptionsOf(*c.node);
  const Value a = c.operand(0);
  if (!o.transpose_b) return matmul(a, c.grad, {o.batch, !o.transpose_a, false});
  return matmul(c.grad, a, {o.batch, true, o.transpose_a});
}

// A left operand with one more leading axis has more rows; if the right one has it too, both share
// it.
Value AllSteps(const OverSteps& c) {
  MatmulOptions o = OptionsOf(*c.step);
  if (c.stacked[0] && c.stacked[1]) {
    ++o.batch;
  } else if (!c.stacked[0] || o.transpose_a || o.batch > 0) {
    return {};
  }
  return matmul(c.operands[0], c.operands[1], o);
}
// The sum of aT b over the steps contracts one more axis.
Value SumOfSteps(const OverSteps& c) {
  const MatmulOptions o = OptionsOf(*c.step);
  if (!c.stacked[0] || !c.stacked[1] || !o.transpose_a || o.transpose_b || o.batch > 0) return {};
  return matmul(c.operands[0], c.operands[1], o);
}

constinit const OpDef kMatmul{
    .name = "matmul",
    .summary =
        "product of matrices with leading axes: [batch..., rows..., k] times [batch..., k, "
        "columns]",
    .operands = {"a", "b"},
    .attrs = {AttrSpec{
                  .name = "batch",
                  .kind = AttrKind::kInt,
                  .summary = "number of leading axes that both operands share and the result keeps",
                  .required = false},
              AttrSpec{.name = "transpose_a",
                       .kind = AttrKind::kBool,
                       .summary = "a is [batch..., k..., rows]",
                       .required = false},
              AttrSpec{.name = "transpose_b",
                       .kind = AttrKind::kBool,
                       .summary = "b is [batch..., columns, k]",
                       .required = false}},
    .traits = kContraction,
    .infer = InferMatmul,
    .vjp = {LeftGradient, RightGradient},
    .at = MatmulAt,
    .over_steps = AllSteps,
    .sum_over_steps = SumOfSteps,
};

constexpr const OpDef* kTable[] = {&kMatmul};

// The leading axes of a shape, all but the last `kept`.
Shape LeadingAxes(const Shape& shape, int kept) {
  return Shape(shape.dims().first(static_cast<size_t>(std::max(0, shape.rank() - kept))));
}

// x with its leading axes broadcast to `batch`, its last `kept` as they are.
Operand WithBatch(const Operand& x, const Shape& batch, int kept) {
  Shape shape = batch;
  for (int axis = x.value().rank() - kept; axis < x.value().rank(); ++axis) {
    shape.push_back(x.value().shape()[axis]);
  }
  if (shape == x.value().shape()) return x;
  return Operand(broadcast_to(x, shape), x.where());
}

}  // namespace

OpTable ContractionOps() { return kTable; }

Value matmul(Operand a, Operand b, const MatmulOptions& options) {
  if (std::optional<Value> stop = Stopped({a, b})) return *stop;
  if (a.is_number() || b.is_number()) {
    const Operand& number = a.is_number() ? a : b;
    Function& f = (a.is_number() ? b : a).value().function();
    f.ReportError({.location = number.location(),
                   .message = "matmul: a number is not a matrix",
                   .help = "mul(x, number) scales each element"});
    return f.poison();
  }
  return Emit(kMatmul, {a, b},
              {{"batch", static_cast<int64_t>(options.batch)},
               {"transpose_a", options.transpose_a},
               {"transpose_b", options.transpose_b}});
}

Value matmul(Operand a, Operand b) {
  if (std::optional<Value> stop = Stopped({a, b})) return *stop;
  if (a.is_number() || b.is_number()) return matmul(a, b, MatmulOptions{});
  const int a_rank = a.value().rank(), b_rank = b.value().rank();
  if (a_rank == 0 || b_rank == 0)
    return matmul(a, b, MatmulOptions{});  // the type rule says why not
  const CallerScope scope({a, b});
  if (b_rank == 1) {
    const Value column = matmul(a, Operand(expand_dims(b, 1), b.where()), MatmulOptions{});
    return squeeze(column, -1);
  }
  if (b_rank == 2) return matmul(a, b, MatmulOptions{});
  const int a_kept = std::min(a_rank, 2);
  const std::optional<Shape> batch =
      BroadcastShapes(LeadingAxes(a.value().shape(), a_kept), LeadingAxes(b.value().shape(), 2));
  if (!batch) return matmul(a, b, {.batch = b_rank - 2});  // the type rule says why not
  const Operand left = WithBatch(a, *batch, a_kept);
  const Operand right = WithBatch(b, *batch, 2);
  return matmul(left, right, {.batch = batch->rank()});
}

}  // namespace gradus::ir
