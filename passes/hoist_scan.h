#pragma once

// Takes out of loops over time what can be done before them, for all steps at once: a product of a
// sequence's element with a weight becomes one product with the sequence, and so does other dear
// work that depends on sequences and invariants alone, with the cheap work on its result. Cheap
// work on its own stays: it costs less than storing it.

#include "passes/pass.h"

namespace gradus::passes {

absl::StatusOr<bool> HoistScan(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
