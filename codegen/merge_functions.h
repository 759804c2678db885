#pragma once

// Layers of one kind differ in their sizes alone, and so does their code: functions that are equal
// but for numbers become one function, which takes these numbers as arguments. Private to codegen.

#include "llvm/IR/Module.h"

namespace gradus::codegen {

// Merges internal functions where that makes the code smaller. What they compute stays the same,
// bit for bit; addresses that were constants become sums of registers.
void MergeFunctions(llvm::Module& module);

}  // namespace gradus::codegen
