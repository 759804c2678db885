#pragma once

// The constant that tells callers about an entry: names, types, memory. Private to codegen.

#include <string>

#include "absl/status/status.h"
#include "codegen/module_emitter.h"
#include "ir/function.h"

namespace gradus::codegen {

// Defines <symbol>_info, a gradus_entry_info (runtime/abi.h), for a function with a memory plan.
absl::Status EmitInfo(ModuleEmitter& emitter, const ir::Function& entry, const std::string& symbol);

}  // namespace gradus::codegen
