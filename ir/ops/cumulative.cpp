// cumsum.

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

// The sum over r of x[r] as far as this element's place i: low <= r < high.
loop::Expr CumsumAt(const loop::At& at) {
  const auto axis = static_cast<int>(at.attr<int64_t>("axis"));
  const bool reverse = at.attr<bool>("reverse"), exclusive = at.attr<bool>("exclusive");
  const loop::Extent extent(at.type().shape[axis]);
  const loop::Variable* r = at.ReductionVariable(axis, extent);
  Indices index(at.index().begin(), at.index().end());
  const loop::Index i = index[static_cast<size_t>(axis)];
  index[static_cast<size_t>(axis)] = loop::Index(r);
  const loop::Index end =
      extent.is_number() ? loop::Index(extent.number()) : loop::Index::Of(extent);
  const loop::Condition counted{reverse ? i + loop::Index(exclusive ? 1 : 0) : loop::Index(0),
                                loop::Index(r), reverse ? end : i + loop::Index(exclusive ? 0 : 1)};
  return at.Reduce(loop::ReduceKind::kSum, {&r, 1}, at.Guard({&counted, 1}, at.Operand(0, index)));
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
    .at = CumsumAt,
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
