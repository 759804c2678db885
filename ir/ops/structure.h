#pragma once

// Calls of other functions of the module.

#include <vector>

#include "ir/builder.h"

namespace gradus::ir {

// One node with the callee's results. Used by form_kernels for kernels, by users for shared parts
// (inlined first).
Node* call(Function& f, const Function& callee, std::span<const Value> operands,
           const Location& location = {});

}  // namespace gradus::ir
