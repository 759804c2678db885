#pragma once

// Handing work to the caller's threads (gradus_threads), for entries and kernels. Private to
// codegen.

#include <utility>

#include "codegen/frame.h"

namespace gradus::codegen {

// Work that may be done in parts: `units` things of which a part has `least` or more.
struct Forked {
  llvm::Value* units = nullptr;
  int64_t least = 1;
  llvm::Value* work = nullptr;  // of all units; with less than `least_work` it is not worth while
  int64_t least_work = 0;
};

// Runs body(context, number) for each part: a power of two of them, each with 2 * least units at
// most, by way of `threads`; or one, here, if threads are null or there is little work. The number
// of parts goes to the context, an array of i64, at `field`.
void EmitFork(Frame& frame, const Forked& forked, llvm::Value* threads, llvm::Function* body,
              llvm::Value* context, size_t field);

// The first of the things of part `number`, and how many there are: units / parts, or one more.
std::pair<llvm::Value*, llvm::Value*> EmitPartOf(Frame& frame, llvm::Value* units,
                                                 llvm::Value* parts, llvm::Value* number);

}  // namespace gradus::codegen
