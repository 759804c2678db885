#pragma once

// Ops that move elements: each result element is one element of an operand, or a constant.

#include <vector>

#include "ir/builder.h"
#include "ir/ops/reduction.h"

namespace gradus::ir {

// Operand axis i becomes result axis axes[i]; its size equals the result's or is 1. Other axes
// repeat.
Value broadcast(Operand x, const Shape& shape, Axes axes);
// NumPy's rule: right-aligned.
Value broadcast_to(Operand x, const Shape& shape);
// The same elements in row-major order. A symbol may move but neither split nor merge; at most one
// size may be -1 (inferred) in the builder.
Value reshape(Operand x, const Shape& shape);
// Result axis i is operand axis permutation[i].
Value transpose(Operand x, Axes permutation);
// Elements begin, begin + step, ... before end (step < 0: after end), one triple an axis. As in
// Python, negative begin and end count from the end, and kEnd stands for "as far as it goes".
inline constexpr int64_t kEnd = INT64_MAX;
struct Range1 {
  int64_t begin = 0, end = kEnd, step = 1;
};
Value slice(Operand x, std::vector<Range1> ranges);  // axes beyond the list are kept whole
Value concat(const std::vector<Operand>& parts, int64_t axis);
// low[i] elements before and high[i] after along axis i, of `value`; `interior[i]` between
// neighbours.
Value pad(Operand x, std::vector<int64_t> low, std::vector<int64_t> high, double value = 0,
          std::vector<int64_t> interior = {});
// Composites: parts of equal size along an axis; tensors of one shape joined along a new axis; size
// 1 stretched (-1: as it is); without the edge, mirrored at it, as NumPy's mode "reflect".
std::vector<Value> split(Operand x, int64_t parts, int64_t axis);
// Parts of the sizes given, which add up to the axis.
std::vector<Value> split(Operand x, const std::vector<int64_t>& sizes, int64_t axis);
Value stack(const std::vector<Operand>& parts, int64_t axis);
Value expand(Operand x, const Shape& shape);
Value pad_reflect(Operand x, std::vector<int64_t> low, std::vector<int64_t> high);
Value expand_dims(Operand x, int64_t axis);  // composite: reshape
Value squeeze(Operand x, int64_t axis);      // composite: reshape

}  // namespace gradus::ir
