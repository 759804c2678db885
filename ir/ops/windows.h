#pragma once

// Sliding windows as movement, what poolings and their gradients are made of.

#include <cstdint>
#include <vector>

#include "ir/builder.h"

namespace gradus::ir {

// How far strides, dilations and paddings may go: arithmetic with indices then stays in 64 bits.
inline constexpr int64_t kFarthest = int64_t{1} << 31;

// One number a spatial axis. These axes are [first, first + their number) of x.
struct Windows {
  int64_t first = 0;
  std::vector<int64_t> window, strides, dilation;
};

// The elements that each window covers: [leading..., positions..., window..., rest...]. Element k
// of the window at position o is x at stride * o + dilation * k; positions of which `sizes` are
// given, and all of them must lie in x.
Value unfold(Operand x, const Windows& windows, const Shape& sizes);
// The other way: [leading..., positions..., window..., rest...] becomes [leading..., sizes...,
// rest...], each element the sum of what all windows have there. The gradient of unfold, as unfold
// is its.
Value fold(Operand x, const Windows& windows, const Shape& sizes);
// The largest element of each window, NaN if one is: [leading..., positions..., rest...]. The
// gradient goes to the first of the largest elements (of the NaNs), in row-major order.
Value window_max(Operand x, const Windows& windows, const Shape& sizes);

}  // namespace gradus::ir
