#pragma once

// Simplification to a fixed point: each record's identities (those that are exact in IEEE
// arithmetic), and ops on constants become constants.

#include "passes/pass.h"

namespace gradus::passes {

absl::StatusOr<bool> Simplify(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
