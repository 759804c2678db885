#pragma once

// Which nodes make up which kernel: the decisions of form_kernels.

#include "passes/kernels/outline.h"

namespace gradus::passes {

FunctionCut GroupIntoKernels(const ir::Function& function);

}  // namespace gradus::passes
