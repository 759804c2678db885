#pragma once

// Says of each large step of a kernel along which of its loops threads may share it.

#include "passes/pass.h"

namespace gradus::passes {

// Needs plans (schedule). What is computed does not depend on how a step is shared.
absl::StatusOr<bool> SplitSteps(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
