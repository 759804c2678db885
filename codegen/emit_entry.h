#pragma once

// Entries: the C functions of runtime/abi.h that call kernels in order, and the constant that
// describes each. Private to codegen.

#include <string>

#include "absl/status/status.h"
#include "codegen/module_emitter.h"
#include "ir/module.h"

namespace gradus::codegen {

// Every graph function with an EntryPlan, and the kernels that they call.
absl::Status EmitModule(ModuleEmitter& emitter, const ir::Module& module,
                        const std::string& prefix);

}  // namespace gradus::codegen
