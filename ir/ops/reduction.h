#pragma once

// Reductions over axes, and what is counted over axes. Negative axes count from the end; no axes
// given: all.

#include <vector>

#include "ir/builder.h"

namespace gradus::ir {

using Axes = std::vector<int64_t>;

Value reduce_sum(Operand x, Axes axes = {}, bool keep_dims = false);
Value reduce_max(Operand x, Axes axes = {},
                 bool keep_dims = false);  // gradient at a tie: equal shares
Value reduce_min(Operand x, Axes axes = {}, bool keep_dims = false);
Value reduce_prod(Operand x, Axes axes = {},
                  bool keep_dims = false);  // gradient right with zeros, too
Value reduce_mean(Operand x, Axes axes = {}, bool keep_dims = false);  // composite: sum / count
// The number of elements along the axes, as a scalar of the dtype given (default: x's).
Value count(Operand x, Axes axes = {});
// i64 index of the first maximum along one axis (of the first NaN if there is one).
Value argmax(Operand x, int64_t axis, bool keep_dims = false);

}  // namespace gradus::ir
