#pragma once

// Gives every kernel its plan. One shape is recognised, the contraction (a sum of products of two
// operands: matrix products, their gradients, and whatever else has such index forms); everything
// else is a nest. No op is named here: what counts are the variables that each factor depends on,
// and strides.

#include "absl/container/flat_hash_set.h"
#include "passes/pass.h"

namespace gradus::passes {

// The names of the kernels that loops over time call.
absl::flat_hash_set<std::string> CalledInLoops(const ir::Module& module);

// Needs loops (lower-loops) on every kernel function. Kernels with a sum that is not planned as a
// contraction get a remark that says why. Errors: a choice of the context that cannot be followed.
absl::StatusOr<bool> Schedule(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
