// softmax, log_softmax, logsumexp, variance, standardize, norms, one_hot, where.

#include <algorithm>
#include <limits>
#include <utility>

#include "ir/ops/building.h"
#include "ir/ops/composite.h"
#include "ir/ops/custom_gradient.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"
#include "ir/ops/movement.h"
#include "ir/ops/reduction.h"

namespace gradus::ir {
namespace {

// x less its maximum along `axes`, so that exp cannot overflow. The result of what follows does not
// depend on what is subtracted, so no gradient passes through it.
Value Shifted(const Operand& x, const Axes& axes) {
  const Value maximum = stop_gradient(reduce_max(x, axes, /*keep_dims=*/true));
  return sub(x, maximum);
}

}  // namespace

// One division a row, not one an element: the sum is between 1 and the number of elements, so its
// inverse is exact to a rounding.
Value softmax(Operand x, int64_t axis) {
  const CallerScope scope({x});
  const Value e = exp(Shifted(x, {axis}));
  const Value sum = reduce_sum(e, {axis}, /*keep_dims=*/true);
  return as_softmax(mul(e, div(1, sum)), x, axis);
}

std::optional<Value> LogitsOfSoftmax(const Operand& p) {
  if (p.is_number() || !p.value() || p.value().is_poison()) return std::nullopt;
  const Node& node = *p.value().node();
  if (node.op().name != "as_softmax" || node.attr<int64_t>("axis") != p.value().rank() - 1) {
    return std::nullopt;
  }
  return node.operand(1);
}

Value log_softmax(Operand x, int64_t axis) {
  const CallerScope scope({x});
  const Value shifted = Shifted(x, {axis});
  const Value sum = reduce_sum(exp(shifted), {axis}, /*keep_dims=*/true);
  return sub(shifted, log(sum));
}

Value logsumexp(Operand x, Axes axes, bool keep_dims) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  const CallerScope scope({x});
  axes = NormalAxes(std::move(axes), x.value().rank());
  const Value maximum = stop_gradient(reduce_max(x, axes, /*keep_dims=*/true));
  // An infinite maximum is not subtracted: -inf - -inf would be NaN.
  const Value finite = less(abs(maximum), std::numeric_limits<double>::infinity());
  const Value shift = select(finite, maximum, 0);
  const Value sum = reduce_sum(exp(sub(x, shift)), axes, /*keep_dims=*/true);
  const Value result = add(log(sum), shift);
  if (keep_dims || !result || result.is_poison()) return result;
  Shape shape;
  for (int axis = 0; axis < x.value().rank(); ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end())
      shape.push_back(x.value().shape()[axis]);
  }
  return reshape(result, shape);
}

// In two passes: the mean first, then the mean of squared deviations from it, which loses no digits
// to cancellation.
Value variance(Operand x, Axes axes, bool keep_dims) {
  const CallerScope scope({x});
  const Value mean = reduce_mean(x, axes, /*keep_dims=*/true);
  const Value deviation = sub(x, mean);
  return reduce_mean(mul(deviation, deviation), std::move(axes), keep_dims);
}

Value standard_deviation(Operand x, Axes axes, bool keep_dims) {
  const CallerScope scope({x});
  return sqrt(variance(x, std::move(axes), keep_dims));
}

Value standardize(Operand x, Axes axes, double epsilon) {
  if (std::optional<Value> stop = Stopped({x})) return *stop;
  const CallerScope scope({x});
  const Value mean = reduce_mean(x, axes, /*keep_dims=*/true);
  const Value deviation = sub(x, mean);
  const Value squares = reduce_mean(mul(deviation, deviation), axes, /*keep_dims=*/true);
  const Value scale = broadcast_to(rsqrt(add(squares, epsilon)), x.value().shape());
  return as_standardized(mul(deviation, scale), x, scale, std::move(axes));
}

Value norm_l1(Operand x, Axes axes, bool keep_dims) {
  const CallerScope scope({x});
  return reduce_sum(abs(x), std::move(axes), keep_dims);
}

Value norm_l2(Operand x, Axes axes, bool keep_dims) {
  const CallerScope scope({x});
  return sqrt(reduce_sum(mul(x, x), std::move(axes), keep_dims));
}

Value where(Operand condition, Operand a, Operand b) { return select(condition, a, b); }

Value one_hot(Operand indices, int64_t depth, DType dtype) {
  if (std::optional<Value> stop = Stopped({indices})) return *stop;
  const CallerScope scope({indices});
  const Value column = expand_dims(indices, -1);
  if (column.is_poison()) return column;
  Shape shape = indices.value().shape();
  shape.push_back(depth);
  const Value classes = iota(column.function(), Type{column.dtype(), shape}, -1);
  return cast(equal(column, classes), dtype);
}

}  // namespace gradus::ir
