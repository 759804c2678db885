#pragma once

// Convolution over any number of spatial axes, channels last as in Keras, with any number of
// leading axes. A convolution here is a cross-correlation, as everywhere in the field.

#include <cstdint>
#include <vector>

#include "ir/builder.h"

namespace gradus::ir {

// One number a spatial axis; an empty list stands for the default on all of them.
struct ConvolutionOptions {
  std::vector<int64_t> strides;          // 1
  std::vector<int64_t> low, high;        // zeros before and after x (negative: cut off); 0
  std::vector<int64_t> kernel_dilation;  // distance of neighbours in the window; 1
  std::vector<int64_t> input_dilation;   // distance of neighbours of x, zeros between; 1
  int64_t groups = 1;                    // channels in so many groups that do not see each other
};

// x [leading..., spatial..., in] by kernel [window..., in / groups, out] is
// [leading..., positions..., out]: at each position, the sum over window and channels of x times
// kernel. Outside of x it is 0; terms that are 0 for that may be left out, so that an infinite
// weight may or may not make NaN at a border. Along a spatial axis of size n (a symbol: only where
// no padding, stride or dilation changes it) there are
//   ((n - 1) * input_dilation + 1 + low + high - ((window - 1) * kernel_dilation + 1)) / stride + 1
// positions, rounded down.
Value convolution(Operand x, Operand kernel, const ConvolutionOptions& options = {});

// The gradient of a convolution with respect to x, as an op of its own: x [leading..., spatial...,
// in] by kernel [window..., out / groups, in] is [leading..., positions..., out]. `strides` move in
// the result, `low` and `high` are cut off it, and along an axis of size n there are
//   (n - 1) * stride - low - high + (window - 1) * kernel_dilation + 1 + output_padding
// positions. input_dilation is not used.
Value transposed_convolution(Operand x, Operand kernel, const ConvolutionOptions& options = {},
                             std::vector<int64_t> output_padding = {});

}  // namespace gradus::ir
