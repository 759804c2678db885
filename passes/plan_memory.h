#pragma once

// Memory planning: for each entry (a graph function that only calls kernels) the order of its calls
// and the place of every value. Sizes are polynomials in the symbols, so memory is planned once and
// sized per call.

#include "passes/pass.h"

namespace gradus::passes {

absl::StatusOr<bool> PlanMemory(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
