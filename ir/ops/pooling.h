#pragma once

// Pooling over any number of spatial axes, channels last, with any number of leading axes. Pooling
// over whole axes is reduce_max and reduce_mean.

#include <cstdint>
#include <vector>

#include "ir/builder.h"

namespace gradus::ir {

// One number a spatial axis; an empty list stands for the default on all of them.
struct PoolingOptions {
  std::vector<int64_t> window;     // its length is the number of spatial axes
  std::vector<int64_t> strides;    // the window
  std::vector<int64_t> low, high;  // padding before and after x; 0
  std::vector<int64_t> dilation;   // distance of neighbours in the window; 1
  // Positions are rounded up, not down: a last window may reach beyond x, but starts in it or in
  // the padding before it.
  bool ceil_mode = false;
};

// x [leading..., spatial..., channels] to [leading..., positions..., channels]. Padding is left out
// of the maximum. Of equal maxima the first takes the gradient; NaN wins.
Value max_pool(Operand x, const PoolingOptions& options);
// The mean of each window. `count_padding`: padding counts as zeros (but not what ceil_mode adds
// beyond it); else it is left out, and so are windows of nothing else: they give NaN.
Value average_pool(Operand x, const PoolingOptions& options, bool count_padding = false);

}  // namespace gradus::ir
