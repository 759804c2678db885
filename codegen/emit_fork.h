#pragma once

// Handing work to the caller's threads (gradus_threads), for entries and kernels. Private to
// codegen.

#include <utility>

#include "codegen/frame.h"

namespace gradus::codegen {

// In how many parts to do `units` things: 1 without `threads` (null) or if it is not `worth` it
// (i1), else a power of two such that each part has `least` things or more, and 2 * least at most.
llvm::Value* EmitParts(Frame& frame, llvm::Value* units, int64_t least, llvm::Value* threads,
                       llvm::Value* worth);

// The first of the things of part `number`, and how many there are: units / parts, or one more.
std::pair<llvm::Value*, llvm::Value*> EmitPartOf(Frame& frame, llvm::Value* units,
                                                 llvm::Value* parts, llvm::Value* number);

// Runs body(context, number) for each part: here, if it is one, else by way of `threads`.
void EmitFork(Frame& frame, llvm::Value* threads, llvm::Value* parts, llvm::Function* body,
              llvm::Value* context);

}  // namespace gradus::codegen
