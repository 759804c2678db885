#pragma once

// Arithmetic that sliding layers share.

#include <string>
#include <vector>

#include "frontend/convolution_layers.h"

namespace gradus {

// The window, strides and so on of one call, a number for each spatial axis.
struct Sliding {
  std::vector<int64_t> window, strides, dilation, low, high;
};

// Why `x` cannot be slid along (too few axes, open channels, a list of the wrong length), or an
// empty text with `sliding` filled in.
std::string MakeSliding(const Type& x, int axes, const PerAxis& window, const PerAxis& strides,
                        const PerAxis& dilation, const Padding& padding, Sliding* sliding);

// Why the steps of `x` [batch, time, spatial..., channels] cannot be slid along, or an empty text.
std::string WhyNotOnSteps(const Type& x, int axes);

}  // namespace gradus
