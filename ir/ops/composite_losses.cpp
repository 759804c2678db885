// Losses of differences, margins and angles. Those of probabilities are in composite_entropies.cpp.

#include <cmath>

#include "ir/ops/building.h"
#include "ir/ops/composite.h"
#include "ir/ops/elementwise.h"

namespace gradus::ir {
namespace {

constexpr double kShortest = 1e-12;  // the least square of a vector's length, as in Keras

// 1 / length along the last axis.
Value InverseLength(const Operand& x) {
  return rsqrt(maximum(reduce_sum(mul(x, x), {-1}), kShortest));
}

}  // namespace

Value mean_squared_error_each(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  const Value difference = sub(prediction, target);
  return mul(difference, difference);
}

Value mean_squared_error(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  return reduce_mean(mean_squared_error_each(target, prediction));
}

Value mean_absolute_error_each(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  return abs(sub(prediction, target));
}

Value mean_absolute_error(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  return reduce_mean(mean_absolute_error_each(target, prediction));
}

Value huber_each(Operand target, Operand prediction, double delta) {
  const CallerScope scope({prediction, target});
  const Value difference = sub(prediction, target);
  const Value size = abs(difference);
  const Value near = less_equal(size, delta);
  const Value quadratic = mul(mul(difference, difference), 0.5);
  const Value linear = mul(sub(size, 0.5 * delta), delta);
  return select(near, quadratic, linear);
}

Value huber(Operand target, Operand prediction, double delta) {
  const CallerScope scope({prediction, target});
  return reduce_mean(huber_each(target, prediction, delta));
}

// |x| + log((1 + exp(-2|x|)) / 2): the exponential cannot overflow, and near 0 the terms are small.
Value log_cosh_each(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  const Value size = abs(sub(prediction, target));
  return add(size, log1p(mul(expm1(mul(size, -2)), 0.5)));
}

Value log_cosh(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  return reduce_mean(log_cosh_each(target, prediction));
}

Value hinge_each(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  return relu(sub(1, mul(target, prediction)));
}

Value hinge(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  return reduce_mean(hinge_each(target, prediction));
}

Value squared_hinge_each(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  return square(hinge_each(target, prediction));
}

Value squared_hinge(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  return reduce_mean(squared_hinge_each(target, prediction));
}

Value cosine_similarity_each(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  const Value product = reduce_sum(mul(target, prediction), {-1});
  const Value scale = mul(InverseLength(target), InverseLength(prediction));
  return neg(mul(product, scale));
}

Value cosine_similarity(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  return reduce_mean(cosine_similarity_each(target, prediction));
}

}  // namespace gradus::ir
