// Losses of probabilities and of their logits: cross-entropies, Kullback-Leibler, Poisson.

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

Value LogProbabilities(const Operand& probabilities) {
  if (const auto logits = LogitsOfSoftmax(probabilities)) return log_softmax(*logits);
  return log(Clipped(probabilities));
}

// The log-likelihood of each example: the sum over classes of target * log_probability.
Value LogLikelihood(const Operand& target, Value log_probability) {
  return reduce_sum(mul(target, log_probability), {-1});
}

// The same for class numbers. Other classes are left out by select, so that a log of 0 there does
// not matter.
Value SparseLogLikelihood(const Operand& target, Value log_probability) {
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
  return reduce_sum(select(hit, log_probability, 0), {-1});
}

Value BinaryLogLikelihood(const Operand& target, const Operand& probability) {
  const Value p = Clipped(probability);
  const Value if_one = mul(target, log(p));
  const Value other = sub(1, target);
  const Value if_zero = mul(other, log1p(neg(p)));
  return add(if_one, if_zero);
}

}  // namespace

Value binary_crossentropy_each(Operand target, Operand probability) {
  if (const auto logits = LogitsOfSigmoid(probability)) {
    return binary_crossentropy_from_logits_each(target, *logits);
  }
  const CallerScope scope({probability, target});
  return neg(BinaryLogLikelihood(target, probability));
}

Value binary_crossentropy(Operand target, Operand probability) {
  if (const auto logits = LogitsOfSigmoid(probability)) {
    return binary_crossentropy_from_logits(target, *logits);
  }
  const CallerScope scope({probability, target});
  return neg(reduce_mean(BinaryLogLikelihood(target, probability)));
}

// max(x, 0) - x t + log(1 + exp(-|x|)): no term overflows, and small losses keep their digits. With
// -|x| written as a choice the gradient is sigmoid(x) - t at 0, too.
Value binary_crossentropy_from_logits_each(Operand target, Operand logits) {
  const CallerScope scope({logits, target});
  const Value on = greater(logits, 0);
  const Value linear = select(on, logits, 0);
  const Value certain = sub(linear, mul(logits, target));
  const Value negated = neg(logits);
  const Value tail = log1p(exp(select(on, negated, logits)));
  return add(certain, tail);
}

Value binary_crossentropy_from_logits(Operand target, Operand logits) {
  const CallerScope scope({logits, target});
  return reduce_mean(binary_crossentropy_from_logits_each(target, logits));
}

Value categorical_crossentropy_each(Operand target, Operand probabilities) {
  const CallerScope scope({probabilities, target});
  return neg(LogLikelihood(target, LogProbabilities(probabilities)));
}

Value categorical_crossentropy(Operand target, Operand probabilities) {
  const CallerScope scope({probabilities, target});
  return neg(reduce_mean(LogLikelihood(target, LogProbabilities(probabilities))));
}

Value categorical_crossentropy_from_logits_each(Operand target, Operand logits) {
  const CallerScope scope({logits, target});
  return neg(LogLikelihood(target, log_softmax(logits)));
}

Value categorical_crossentropy_from_logits(Operand target, Operand logits) {
  const CallerScope scope({logits, target});
  return neg(reduce_mean(LogLikelihood(target, log_softmax(logits))));
}

Value sparse_categorical_crossentropy_each(Operand target, Operand probabilities) {
  const CallerScope scope({probabilities, target});
  return neg(SparseLogLikelihood(target, LogProbabilities(probabilities)));
}

Value sparse_categorical_crossentropy(Operand target, Operand probabilities) {
  const CallerScope scope({probabilities, target});
  return neg(reduce_mean(SparseLogLikelihood(target, LogProbabilities(probabilities))));
}

Value sparse_categorical_crossentropy_from_logits_each(Operand target, Operand logits) {
  const CallerScope scope({logits, target});
  return neg(SparseLogLikelihood(target, log_softmax(logits)));
}

Value sparse_categorical_crossentropy_from_logits(Operand target, Operand logits) {
  const CallerScope scope({logits, target});
  return neg(reduce_mean(SparseLogLikelihood(target, log_softmax(logits))));
}

Value kl_divergence_each(Operand target, Operand probabilities) {
  const CallerScope scope({probabilities, target});
  const Value t = clip(target, kProbabilityMargin, 1);
  const Value p = clip(probabilities, kProbabilityMargin, 1);
  return reduce_sum(mul(t, sub(log(t), log(p))), {-1});
}

Value kl_divergence(Operand target, Operand probabilities) {
  const CallerScope scope({probabilities, target});
  return reduce_mean(kl_divergence_each(target, probabilities));
}

Value poisson_each(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  return sub(prediction, mul(target, log(add(prediction, kProbabilityMargin))));
}

Value poisson(Operand target, Operand prediction) {
  const CallerScope scope({prediction, target});
  return reduce_mean(poisson_each(target, prediction));
}

}  // namespace gradus::ir
