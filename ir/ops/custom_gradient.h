#pragma once

// Values whose gradient does not flow through the ops that made them: a function says it, or a
// formula that is known for them.

#include <vector>

#include "ir/builder.h"

namespace gradus::ir {

// `y` itself. Its gradient does not flow through what made it: each of `x` gets what @backward
// gives. backward(x.., y, gradient of y) -> (gradients of x..), one of its type for each of x; it
// is inlined where a gradient is taken, so that gradients of higher order are gradients of its ops.
Value with_gradient(Operand y, const std::vector<Operand>& x, const Function& backward);

// `y` itself, which is the softmax of `x` along an axis (of y's type). The gradient of x is
// y * dy - y * sum(y * dy), from y alone: what made y need not be kept.
Value as_softmax(Operand y, Operand x, int64_t axis);

// `y` itself, which is (x - mean(x)) * scale over `axes`, with scale = 1 / sqrt(variance(x) + e)
// for any e >= 0, all three of one type. The gradient of x is scale * (dy - mean(dy) - y * mean(dy
// * y)) (Ioffe and Szegedy, "Batch Normalization", 2015, section 3), from y and scale alone. Of a
// y that is multiplied by what repeats along the axes, both means are of the gradients before that.
Value as_standardized(Operand y, Operand x, Operand scale, IntList axes);

}  // namespace gradus::ir
