#pragma once

// Decides what fuses, visibly: every graph function becomes calls of kernels, each a small function
// of the same IR.
//
// * A contraction is a kernel, with pointwise work on its result (its epilogue: bias, activation,
// masks, an optimiser's
//   update), sums of what that stores, and pointwise work on those sums. One contraction a kernel;
//   an update that overwrites what the contraction reads is another kernel.
// * Pointwise ops and reductions along rows fuse with each other freely.
// * Constants, movement, and cheap arithmetic on arguments are copied into every kernel that uses
// them: recomputing an
//   element costs less than storing it. Contractions, reductions and transcendental functions are
//   never repeated in another kernel.
// * Kernels are of bounded size, and equal kernels are one function.

#include "passes/pass.h"

namespace gradus::passes {

absl::StatusOr<bool> FormKernels(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
