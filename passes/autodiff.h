#pragma once

// Reverse-mode differentiation: appends to a function the nodes that compute gradients, as ordinary
// ops, so that a gradient can be differentiated again, printed and fused.

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/function.h"

namespace gradus::passes {

// Gradients of `result` (float; a scalar unless `seed` is given, which then has result's type) with
// respect to each of `wanted` (float values of the same function: arguments or results of nodes). A
// wanted value on which result does not depend gets zeros. Errors: an op on the path that is not
// differentiable, by name and location.
absl::StatusOr<std::vector<ir::Value>> Gradients(ir::Value result,
                                                 std::span<const ir::Value> wanted,
                                                 ir::Value seed = {});

}  // namespace gradus::passes
