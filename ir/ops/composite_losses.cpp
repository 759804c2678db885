// Losses, each a scalar.

#include "fmt/format.h"
#include "ir/ops/building.h"
#include "ir/ops/composite.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"

namespace gradus::ir {
namespace {

constexpr double kProbabilityMargin = 1e-7;  // Keras' epsilon

Value Clipped(const Operand& probability) {
  return clip(probability, kProbabilityMargin, 1 - kProbabilityMargin);
}

// Mean over all examples of the negated sum over classes of target * log_probability.
Value CrossEntropy(const Operand& target, Value log_probability) {
  const Value sum = reduce_sum(mul(target, log_probability), {-1});
  return neg(reduce_mean(sum));
}

// The same for class numbers. Other classes are left out by select, so that a log of 0 there does
// not matter.
Value SparseCrossEntropy(const Operand& target, Value log_probability) {
  if (std::optional<Value> stop = Stopped({target, log_probability})) return *stop;
  Function& f = log_probability.function();
  if (!target.is_number() && !IsInteger(target.value().dtype())) {
    f.ReportError(
        {.location = target.location(),
         .message = fmt::format(
             "sparse_categorical_crossentropy: targets are class numbers of i32 or i64, got {}",
             ToString(target.value().type())),
         .help = "cast the targets, or use categorical_crossentropy for one-hot targets"});
    return f.poison();
  }
  const Value column = expand_dims(target, -1);
  if (!column || column.is_poison()) return column;
  const Value classes = iota(f, Type{column.dtype(), log_probability.shape()}, -1);
  const Value hit = equal(column, classes);
  const Value chosen = reduce_sum(select(hit, log_probability, 0), {-1});
  return neg(reduce_mean(chosen));
}

}  // namespace

Value mean_squared_error(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  const Value difference = sub(prediction, target);
  return reduce_mean(mul(difference, difference));
}

Value mean_absolute_error(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  return reduce_mean(abs(sub(prediction, target)));
}

Value huber(Operand target, Operand prediction, double delta) {
  const CallerScope scope({prediction, target});
  const Value difference = sub(prediction, target);
  const Value size = abs(difference);
  const Value near = less_equal(size, delta);
  const Value quadratic = mul(mul(difference, difference), 0.5);
  const Value linear = mul(sub(size, 0.5 * delta), delta);
  return reduce_mean(select(near, quadratic, linear));
}

Value binary_crossentropy(Operand target, Operand probability) {
  const CallerScope scope({probability, target});
  const Value p = Clipped(probability);
  const Value if_one = mul(target, log(p));
  const Value other = sub(1, target);
  const Value if_zero = mul(other, log1p(neg(p)));
  return neg(reduce_mean(add(if_one, if_zero)));
}

// max(x, 0) - x t + log(1 + exp(-|x|)): no term overflows, and small losses keep their digits. With
// -|x| written as a choice the gradient is sigmoid(x) - t at 0, too.
Value binary_crossentropy_from_logits(Operand target, Operand logits) {
  const CallerScope scope({logits, target});
  const Value on = greater(logits, 0);
  const Value linear = select(on, logits, 0);
  const Value certain = sub(linear, mul(logits, target));
  const Value negated = neg(logits);
  const Value tail = log1p(exp(select(on, negated, logits)));
  return reduce_mean(add(certain, tail));
}

Value categorical_crossentropy(Operand target, Operand probabilities) {
  const CallerScope scope({probabilities, target});
  return CrossEntropy(target, log(Clipped(probabilities)));
}

Value categorical_crossentropy_from_logits(Operand target, Operand logits) {
  const CallerScope scope({logits, target});
  return CrossEntropy(target, log_softmax(logits));
}

Value sparse_categorical_crossentropy(Operand target, Operand probabilities) {
  const CallerScope scope({probabilities, target});
  return SparseCrossEntropy(target, log(Clipped(probabilities)));
}

Value sparse_categorical_crossentropy_from_logits(Operand target, Operand logits) {
  const CallerScope scope({logits, target});
  return SparseCrossEntropy(target, log_softmax(logits));
}

}  // namespace gradus::ir
