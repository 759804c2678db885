#pragma once

// Gives every kernel a plan of plain nests: correct for whatever a kernel holds, and the oracle for
// `schedule`.

#include "passes/pass.h"

namespace gradus::passes {

// Each block of stores over the same loops becomes one nest. Needs loops (lower-loops) on every
// kernel function.
absl::StatusOr<bool> ScheduleLoops(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
