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

// The same of several results at once, with a seed each: the gradients of the sum over all of
// seed times result. A wanted value that none depends on gets no value.
absl::StatusOr<std::vector<ir::Value>> VectorGradients(std::span<const ir::Value> results,
                                                       std::span<const ir::Value> seeds,
                                                       std::span<const ir::Value> wanted);

}  // namespace gradus::passes
