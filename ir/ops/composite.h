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
Value variance(Operand x, Axes axes, bool keep_dims = false);  // biased
Value one_hot(Operand indices, int64_t depth, DType dtype);    // integers [..] -> [.., depth]

// Losses: scalars, mean over all elements unless said. `target` has the prediction's shape and
// dtype.
Value mean_squared_error(Operand target, Operand prediction);
Value mean_absolute_error(Operand target, Operand prediction);  // derivative 0 where equal
Value huber(Operand target, Operand prediction, double delta = 1.0);
// Probabilities are clipped to [eps, 1 - eps], eps 1e-7, as in Keras; the gradient is 0 where
// clipping acts.
Value binary_crossentropy(Operand target, Operand probability);
Value binary_crossentropy_from_logits(Operand target, Operand logits);
// Mean over all but the last axis. Probabilities are not rescaled.
Value categorical_crossentropy(Operand target, Operand probabilities);
Value categorical_crossentropy_from_logits(Operand target, Operand logits);
// target: i32 or i64 class numbers, the prediction's shape without its last axis.
Value sparse_categorical_crossentropy(Operand target, Operand probabilities);
Value sparse_categorical_crossentropy_from_logits(Operand target, Operand logits);

}  // namespace gradus::ir
