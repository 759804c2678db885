// cumsum.

#include "ir/loop/emission.h"
#include "ir/ops/building.h"
#include "ir/ops/indexing.h"
#include "ir/ops/lowering.h"
#include "ir/ops/tables.h"
#include "ir/ops/type_rules.h"

namespace gradus::ir {
namespace {

absl::StatusOr<Types> InferCumsum(const InferContext& c) {
  const Type& x = c.operands[0];
  if (absl::Status s = CheckDType(x.dtype, DTypes::kNumeric); !s.ok()) return s;
  if (absl::Status s = CheckAxes({c.attr<int64_t>("axis")}, x.shape); !s.ok()) return s;
  return Types{x};
}

// One element after the other, from the end if reversed. Without the element itself, the sum is
// that of the elements before it, of which the first has none.
void EmitCumsum(const loop::Emission& e) {
  const auto axis = static_cast<size_t>(e.attr<int64_t>("axis"));
  const bool reverse = e.attr<bool>("reverse"), exclusive = e.attr<bool>("exclusive");
  const std::vector<const loop::Variable*> loops = e.Loops(e.type().shape);
  const loop::Index step = loops[axis];
  const loop::Extent& extent = loops[axis]->extent();
  const loop::Index end =
      extent.is_number() ? loop::Index(extent.number()) : loop::Index::Of(extent);
  Indices to(loops.begin(), loops.end());
  if (reverse) to[axis] = end - loop::Index(1) - step;
  Indices from = to;
  if (exclusive) from[axis] = from[axis] + loop::Index(reverse ? 1 : -1);
  const loop::At at = e.at(from);
  loop::Expr x = at.Operand(0);
  if (exclusive) {
    const loop::Condition any_before{loop::Index(1), step, end};
    x = at.Guard({&any_before, 1}, x);
  }
  e.RunningSum(loops, loops[axis], to, x);
}

constinit const OpDef kCumsum{
    .name = "cumsum",
    .summary = "sums of the elements up to each along an axis",
    .operands = {"x"},
    .attrs = {AttrSpec{.name = "axis", .kind = AttrKind::kInt, .summary = "the axis summed along"},
              AttrSpec{.name = "reverse",
                       .kind = AttrKind::kBool,
                       .summary = "from the end",
                       .required = false},
              AttrSpec{.name = "exclusive",
                       .kind = AttrKind::kBool,
                       .summary = "the element itself is left out",
                       .required = false}},
    .traits = kReduction,
    .infer = InferCumsum,
    .vjp = {[](const Vjp& c) {
      return cumsum(c.grad, c.node->attr<int64_t>("axis"), !c.node->attr<bool>("reverse"),
                    c.node->attr<bool>("exclusive"));
    }},
    .emit = EmitCumsum,
};

constexpr const OpDef* kTable[] = {&kCumsum};

}  // namespace

OpTable CumulativeOps() { return kTable; }

Value cumsum(Operand x, int64_t axis, bool reverse, bool exclusive) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  return Emit(kCumsum, {x},
              {{"axis", NormalAxis(axis, x.value().rank())},
               {"reverse", reverse},
               {"exclusive", exclusive}});
}

}  // namespace gradus::ir
