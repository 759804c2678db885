#pragma once

// Finds the steps of an entry that a call may share among threads by rows of the batch: runs of
// kernels, and whole loops over time, in which no row depends on another. They then run from the
// first step to the last for one part of the rows after the other, or for several at once, with
// nothing to wait for in between.

#include "passes/pass.h"

namespace gradus::passes {

// Needs the entry's plan (plan-memory). What is computed does not depend on the parts.
absl::StatusOr<bool> SplitRows(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
