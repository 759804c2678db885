#pragma once

// Common subexpressions: nodes of equal op, operands and attributes become the first of them. Ops
// have no effects, so this is always right; random ops draw by seed and stream and are equal when
// these are.

#include "passes/pass.h"

namespace gradus::passes {

absl::StatusOr<bool> Cse(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
