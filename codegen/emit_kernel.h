#pragma once

// Kernels: one internal LLVM function each, which follows the kernel's plan step by step. Private
// to codegen.
//
//   void kernel(ptr buffer..., index symbol..., [ptr threads])
//
// Buffers are those of the plan (scratch included); symbols those of the module, in the order
// given; threads, the caller's or null, are there if the plan has steps that threads may share.

#include <vector>

#include "codegen/frame.h"
#include "ir/function.h"

namespace gradus::codegen {

// `name`: of its symbol, from which those of its parts and tiles follow.
llvm::Function* EmitKernel(ModuleEmitter& emitter, const ir::Function& kernel,
                           const std::vector<ir::Symbol>& symbols, const std::string& name);

void EmitNest(Frame& frame, const loop::Nest& nest);
void EmitRunningSum(Frame& frame, const loop::Nest& nest);  // of a nest with `running`
void EmitContraction(Frame& frame, const loop::Contraction& contraction,
                     const std::vector<ir::Symbol>& symbols);

}  // namespace gradus::codegen
