#pragma once

// Names of compiled functions for Linux perf, which reads them from /tmp/perf-<process>.map
// (tools/perf/Documentation/jit-interface.txt of the kernel).
//
//   GRADUS_PERF_MAP=1 perf record -e cpu-clock my_training && perf report

#include "llvm/ExecutionEngine/Orc/LLJIT.h"

namespace gradus::codegen {

// Lists what `jit` links from now on, if $GRADUS_PERF_MAP is set and not empty.
void ListForPerf(llvm::orc::LLJIT& jit);

}  // namespace gradus::codegen
