#pragma once

// Sizes as constants in the layout of gradus_term (runtime/abi.h). Private to codegen.

#include <vector>

#include "absl/status/statusor.h"
#include "codegen/module_emitter.h"
#include "ir/loop/size.h"

namespace gradus::codegen {

llvm::StructType* TermType(ModuleEmitter& emitter);
// The terms of `size`, sum by sum; symbols are known by their place in `symbols`.
absl::StatusOr<std::vector<llvm::Constant*>> TermConstants(ModuleEmitter& emitter,
                                                           const loop::Maximum& size,
                                                           const std::vector<ir::Symbol>& symbols);

}  // namespace gradus::codegen
