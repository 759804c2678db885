#pragma once

// DWARF line tables that point at the user's model: a kernel's code at the line of its layer, a
// call of a kernel at the same. Private to codegen.

#include "codegen/module_emitter.h"
#include "ir/module.h"

namespace gradus::codegen {

// Where each kernel comes from: where the layer of its main node (its contraction, if it has one)
// was called, which is where the layer's first node is. Kernels as KernelsOf lists them.
std::vector<ir::Location> LocationsOf(std::span<const ir::Function* const> kernels);

// Line tables for what the emitter has written, and no more: types and variables have none.
void EmitDebugLines(ModuleEmitter& emitter);

}  // namespace gradus::codegen
