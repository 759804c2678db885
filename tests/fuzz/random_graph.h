#pragma once

// Graph functions of random ops, for comparing what passes make of them with what they are.

#include <cstdint>

#include "frontend/tensor.h"

namespace gradus::fuzz {

// Adds arguments x, y, w, v and perhaps z, of sizes round those at which plans change, a few ops on
// them, and as results the last values, a loss of them and its gradients. Graph `index` of a seed
// is the same on every machine.
void GrowGraph(ir::Function& function, DType dtype, uint64_t seed, uint64_t index);

}  // namespace gradus::fuzz
