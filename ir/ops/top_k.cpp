// top_k: k searches, each along the whole axis, for the greatest that none before has found.

#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/indexing.h"
#include "ir/ops/leaf.h"
#include "ir/ops/movement.h"
#include "ir/ops/reduction.h"

namespace gradus::ir {

TopK top_k(Operand x, int64_t k, int64_t axis) {
  if (std::optional<Value> stop = Stopped({x})) return {*stop, *stop};
  const CallerScope scope({x});
  const Value v = x.value();
  Function& f = v.function();
  axis = NormalAxis(axis, v.rank());
  const bool known = axis >= 0 && axis < v.rank() && !v.shape()[static_cast<int>(axis)].is_symbol();
  const int64_t size = known ? v.shape()[static_cast<int>(axis)].size() : 0;
  if (!known || k < 1 || k > size || v.dtype() == DType::kI1) {
    f.ReportError({.location = x.location(),
                   .message = fmt::format("top_k: cannot take {} along axis {} of {}", k, axis,
                                          ToString(v.type())),
                   .help = "k is at least 1 and at most the axis' size, which must be a number"});
    return {f.poison(), f.poison()};
  }
  const Value places = iota(f, {DType::kI64, v.shape()}, axis);
  Value taken;  // i1 of x's shape: found already; none at first
  std::vector<Operand> indices;
  for (int64_t n = 0; n < k; ++n) {
    // Among those left: the greatest, or the first NaN. What is taken loses to -inf, too.
    const Value left = taken ? logical_not(taken) : Value();
    Value hit;
    if (IsFloat(v.dtype())) {
      const Value others = left ? select(left, x, -std::numeric_limits<double>::infinity()) : v;
      const Value greatest = reduce_max(others, {axis}, /*keep_dims=*/true);
      hit = logical_or(equal(x, greatest), not_equal(x, x));
    } else {
      // The least integer may be among those left.
      const Value lowest = reduce_min(x, {axis}, /*keep_dims=*/true);
      const Value greatest =
          reduce_max(left ? select(left, x, lowest) : v, {axis}, /*keep_dims=*/true);
      hit = equal(x, greatest);
    }
    if (left) hit = logical_and(hit, left);
    const Value index = reduce_min(select(hit, places, size), {axis}, /*keep_dims=*/true);
    indices.emplace_back(index);
    const Value here = equal(places, index);
    taken = taken ? logical_or(taken, here) : here;
  }
  const Value all = concat(indices, axis);
  return {take_along_axis(x, all, axis), all};
}

}  // namespace gradus::ir
