#pragma once

// Attaches loop IR to every kernel function, by asking each op for the scalar at an index (see
// ir/loop/lowerer.h).

#include "passes/pass.h"

namespace gradus::passes {

// Errors: an op without a lowering rule in a kernel, by name and location.
absl::StatusOr<bool> LowerToLoops(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
