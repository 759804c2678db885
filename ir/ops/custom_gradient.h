#pragma once

// A value whose gradient a function says.

#include <vector>

#include "ir/builder.h"

namespace gradus::ir {

// `y` itself. Its gradient does not flow through what made it: each of `x` gets what @backward
// gives. backward(x.., y, gradient of y) -> (gradients of x..), one of its type for each of x; it
// is inlined where a gradient is taken, so that gradients of higher order are gradients of its ops.
Value with_gradient(Operand y, const std::vector<Operand>& x, const Function& backward);

}  // namespace gradus::ir
