#pragma once

// Replaces calls of graph functions by their bodies, so that later passes see one graph an entry.
// Calls of kernels stay.

#include "passes/pass.h"

namespace gradus::passes {

absl::StatusOr<bool> InlineCalls(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
