#pragma once

// Functions written in other ops: no records of their own. Fusion makes one kernel of each.

#include "ir/ops/movement.h"

namespace gradus::ir {

Value relu(Operand x);  // x <= 0 ? 0 : x, so that NaN stays; gradient 0 at 0
Value leaky_relu(Operand x, double slope = 0.2);  // gradient `slope` at 0
Value prelu(Operand x, Operand slope);
Value elu(Operand x, double alpha = 1.0);
Value selu(Operand x);
Value gelu(Operand x);  // exact: x * Phi(x)
Value gelu_tanh(Operand x);
Value silu(Operand x);
Value softplus(Operand x);      // stable
Value hard_sigmoid(Operand x);  // clamp(x / 6 + 0.5, 0, 1)
Value clip(Operand x, double low, double high);
Value square(Operand x);
Value softmax(Operand x, int64_t axis = -1);
Value log_softmax(Operand x, int64_t axis = -1);
Value logsumexp(Operand x, Axes axes, bool keep_dims = false);
Value variance(Operand x, Axes axes = {}, bool keep_dims = false);  // biased
// (x - mean) / sqrt(variance + epsilon), mean and variance over the axes.
Value standardize(Operand x, Axes axes, double epsilon);
Value standard_deviation(Operand x, Axes axes = {}, bool keep_dims = false);  // biased
Value norm_l1(Operand x, Axes axes = {}, bool keep_dims = false);             // sum of |x|
Value norm_l2(Operand x, Axes axes = {}, bool keep_dims = false);  // sqrt of the sum of x^2
Value where(Operand condition, Operand a, Operand b);              // select by NumPy's name
Value one_hot(Operand indices, int64_t depth, DType dtype);        // integers [..] -> [.., depth]

// Losses: scalars, the mean of the terms that `<loss>_each` gives: one term an element, or, where
// the last axis holds classes or a vector, one an example ([..] of [.., classes]). `target` has the
// prediction's shape and dtype unless said.
Value mean_squared_error(Operand target, Operand prediction);
Value mean_squared_error_each(Operand target, Operand prediction);
Value mean_absolute_error(Operand target, Operand prediction);  // derivative 0 where equal
Value mean_absolute_error_each(Operand target, Operand prediction);
Value huber(Operand target, Operand prediction, double delta = 1.0);
Value huber_each(Operand target, Operand prediction, double delta = 1.0);
// log(cosh(prediction - target)); no term overflows.
Value log_cosh(Operand target, Operand prediction);
Value log_cosh_each(Operand target, Operand prediction);
// max(1 - target * prediction, 0), targets -1 or 1; and its square.
Value hinge(Operand target, Operand prediction);
Value hinge_each(Operand target, Operand prediction);
Value squared_hinge(Operand target, Operand prediction);
Value squared_hinge_each(Operand target, Operand prediction);
// Minus the cosine of the angle between target and prediction along the last axis: -1 is the best.
// Vectors shorter than 1e-6 count as of that length.
Value cosine_similarity(Operand target, Operand prediction);
Value cosine_similarity_each(Operand target, Operand prediction);
// prediction - target * log(prediction + 1e-7): the Poisson distribution's negative log-likelihood
// of counts `target` at the expected count `prediction`, up to a constant.
Value poisson(Operand target, Operand prediction);
Value poisson_each(Operand target, Operand prediction);
// Sum over the last axis of target * log(target / prediction), both clipped to [1e-7, 1].
Value kl_divergence(Operand target, Operand probabilities);
Value kl_divergence_each(Operand target, Operand probabilities);
// Probabilities are clipped to [eps, 1 - eps], eps 1e-7, as in Keras; the gradient is 0 where
// clipping acts. The loss of a sigmoid's or (for the categorical losses) of a softmax's result is
// that of its logits, also as in Keras: nothing is clipped, and what is surely wrong can be
// learned.
Value binary_crossentropy(Operand target, Operand probability);
Value binary_crossentropy_each(Operand target, Operand probability);
Value binary_crossentropy_from_logits(Operand target, Operand logits);
Value binary_crossentropy_from_logits_each(Operand target, Operand logits);
// Over the last axis. Probabilities are not rescaled.
Value categorical_crossentropy(Operand target, Operand probabilities);
Value categorical_crossentropy_each(Operand target, Operand probabilities);
Value categorical_crossentropy_from_logits(Operand target, Operand logits);
Value categorical_crossentropy_from_logits_each(Operand target, Operand logits);
// target: i32 or i64 class numbers, the prediction's shape without its last axis.
Value sparse_categorical_crossentropy(Operand target, Operand probabilities);
Value sparse_categorical_crossentropy_each(Operand target, Operand probabilities);
Value sparse_categorical_crossentropy_from_logits(Operand target, Operand logits);
Value sparse_categorical_crossentropy_from_logits_each(Operand target, Operand logits);

}  // namespace gradus::ir
