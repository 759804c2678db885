#pragma once

// What the plans of a module's entries need of memory, as text: a line an entry.
//
//   @train_step: arena 1.6 MiB at B = 32, live lower bound 1.6 MiB (1.05); 2 plain copies, 1.0 KiB;
//   1 moving kernel, 4.0 KiB

#include <string>

#include "ir/module.h"
#include "passes/pass.h"

namespace gradus::passes {

std::string MemoryReport(const ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
