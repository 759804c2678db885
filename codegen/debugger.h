#pragma once

// Lines and names of code in memory for debuggers, by GDB's interface for compilers within a
// program (its manual, "JIT Compilation Interface"), which LLDB reads, too.
//
//   GRADUS_DEBUG_LINES=1 gdb my_training

#include "llvm/ExecutionEngine/Orc/LLJIT.h"

namespace gradus::codegen {

// Shows what `jit` links from now on, and has DWARF lines, to debuggers for as long as it is there.
llvm::Error ShowToDebuggers(llvm::orc::LLJIT& jit);

}  // namespace gradus::codegen
