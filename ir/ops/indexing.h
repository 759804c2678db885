#pragma once

// Elements chosen by indices that are data: i32 or i64. An index outside of its axis, a negative
// one too, chooses nothing: it reads 0 and adds nowhere. (So -1 can mark what is missing.)

#include <vector>

#include "ir/builder.h"

namespace gradus::ir {

// x[..., indices, ...] along one axis: the axis is replaced by the axes of `indices`. An embedding
// is gather(table, ids, 0): table [rows, width], ids [B, T] -> [B, T, width]. The gradient of what
// is chosen more than once is the sum.
Value gather(Operand x, Operand indices, int64_t axis);
// Zeros of `shape`, to which each part of `updates` is added where `indices` say along `axis`, in
// the order of the indices: gather's gradient. updates: `shape` with the axis replaced by the axes
// of `indices`.
Value scatter_add(Operand indices, Operand updates, int64_t axis, const Shape& shape);

// result[i, j, k] = x[i, indices[i, j, k], k] for axis 1: all shapes agree but along the axis.
Value take_along_axis(Operand x, Operand indices, int64_t axis);
// Zeros of `shape` with updates[i, j, k] added at [i, indices[i, j, k], k]: its gradient.
Value scatter_add_along_axis(Operand indices, Operand updates, int64_t axis, const Shape& shape);

// The k greatest along an axis, the greatest first, and where they are (i64). Of equal ones, and of
// NaN, which count as greatest, the first comes first. A composite of k searches, for small k.
struct TopK {
  Value values, indices;
};
TopK top_k(Operand x, int64_t k, int64_t axis = -1);

// Sums of all elements up to each along an axis: itself included unless `exclusive`, from the end
// if `reverse`.
Value cumsum(Operand x, int64_t axis, bool reverse = false, bool exclusive = false);

}  // namespace gradus::ir
