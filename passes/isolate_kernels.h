#pragma once

// One kernel an op: no fusion at all. The pipeline `none` uses it, and everything else is compared
// with that.

#include "passes/pass.h"

namespace gradus::passes {

// Each node of a graph function becomes a call of a kernel that holds it alone (with the constants
// that it uses).
absl::StatusOr<bool> IsolateKernels(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
