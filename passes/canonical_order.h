#pragma once

// Canonical order: the operands of commutative ops stand in the order of their definition, so that
// a + b and b + a are one expression to cse and print alike whichever way the user wrote them.

#include "passes/pass.h"

namespace gradus::passes {

absl::StatusOr<bool> CanonicalOrder(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
