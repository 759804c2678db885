#pragma once

// The verifier: each op's type rule run again, definition before use, callees that exist with
// matching types, aliases of equal type and used once.

#include "absl/status/status.h"
#include "ir/module.h"

namespace gradus::ir {

absl::Status Verify(const Module& module);
absl::Status Verify(const Function& function, const Module* module);

}  // namespace gradus::ir
