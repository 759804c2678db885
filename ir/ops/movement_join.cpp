// concat.

#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/lowering.h"
#include "ir/ops/movement.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

absl::StatusOr<Types> InferConcat(const InferContext& c) {
  if (c.operands.empty()) return TypeError("takes one operand at least");
  const Type& first = c.operands[0];
  const int64_t axis = c.attr<int64_t>("axis");
  if (absl::Status s = CheckAxes({axis}, first.shape); !s.ok()) return s;
  Type result = first;
  const auto joined = static_cast<int>(axis);
  int64_t size = 0;
  for (size_t i = 0; i < c.operands.size(); ++i) {
    const Type& x = c.operands[i];
    if (absl::Status s = CheckSameDType(first.dtype, x.dtype); !s.ok()) return s;
    Shape others = x.shape;
    if (x.rank() == first.rank()) others[joined] = first.shape[joined];
    if (others != first.shape) {
      return TypeError(
          fmt::format("part {} is {}, part 0 is {}\nhelp: parts may differ along axis {} only", i,
                      ToString(x.shape), ToString(first.shape), axis));
    }
    if (x.shape[joined].is_symbol()) {
      return TypeError(fmt::format(
          "part {} has the symbolic size {} along the joined axis {}\nhelp: give it a number", i,
          ToString(x.shape[joined]), axis));
    }
    if (__builtin_add_overflow(size, x.shape[joined].size(), &size)) {
      return TypeError(fmt::format("axis {} becomes too large", axis));
    }
  }
  result.shape[joined] = Dim(size);
  return Types{result};
}

// A chain of choices, from the last part to the first; each part is guarded by its own range of the
// joined axis.
loop::Expr ConcatAt(const loop::At& at) {
  const auto axis = static_cast<size_t>(at.attr<int64_t>("axis"));
  Indices index(at.index().begin(), at.index().end());
  const loop::Index place = index[axis];
  int64_t end = at.type().shape[static_cast<int>(axis)].size();
  std::optional<loop::Expr> result;
  for (int part = at.node().num_operands() - 1; part >= 0; --part) {
    const int64_t size = at.operand_type(part).shape[static_cast<int>(axis)].size();
    const int64_t begin = end - size;
    end = begin;
    if (size == 0) continue;
    index[axis] = place - loop::Index(begin);
    const loop::Condition here{loop::Index(begin), place, loop::Index(begin + size)};
    const loop::Expr guarded = at.Guard({&here, 1}, at.Operand(part, index));
    if (!result) {
      result = guarded;
    } else {
      const loop::Expr is_here = at.Guard({&here, 1}, at.Integer(DType::kI1, 1));
      result = Select(is_here, guarded, *result);
    }
  }
  return result ? *result : at.Operand(0);  // no elements at all: never evaluated
}

absl::InlinedVector<Value, 4> ConcatGradients(const Vjp& c) {
  const auto axis = static_cast<size_t>(c.node->attr<int64_t>("axis"));
  absl::InlinedVector<Value, 4> gradients;
  int64_t begin = 0;
  for (const Value part : c.node->operands()) {
    const int64_t size = part.shape()[static_cast<int>(axis)].size();
    std::vector<Range1> ranges(static_cast<size_t>(part.rank()));
    ranges[axis] = {.begin = begin, .end = begin + size};
    gradients.push_back(slice(c.grad, ranges));
    begin += size;
  }
  return gradients;
}

Value SimplifyConcat(Node& n) { return n.num_operands() == 1 ? n.operand(0) : Value(); }

constinit const OpDef kConcat{
    .name = "concat",
    .summary = "operands one after another along an axis",
    .operands = {"parts"},
    .variadic = true,
    .attrs = {AttrSpec{
        .name = "axis", .kind = AttrKind::kInt, .summary = "the axis along which they are joined"}},
    .traits = kMovement,
    .infer = InferConcat,
    .vjp_all = ConcatGradients,
    .at = ConcatAt,
    .simplify = SimplifyConcat,
};

constexpr const OpDef* kTable[] = {&kConcat};

}  // namespace

OpTable JoinOps() { return kTable; }

Value concat(const std::vector<Operand>& parts, int64_t axis) {
  if (std::optional<Value> stop = Stopped(parts)) return *stop;
  for (const Operand& part : parts) {
    if (!part.is_number()) continue;
    for (const Operand& other : parts) {
      if (other.is_number()) continue;
      Function& f = other.value().function();
      f.ReportError({.location = part.location(),
                     .message = "concat: a number has no axis to join",
                     .help = "pad adds a constant"});
      return f.poison();
    }
  }
  const int rank = parts[0].value().rank();
  return Emit(kConcat, parts, {{"axis", NormalAxis(axis, rank)}});
}

}  // namespace gradus::ir
