#pragma once

// Computes values again where they are used late, instead of keeping them, if the workspace gets
// smaller by it: what costs next to nothing always, other kernels only where PassContext::max_arena
// asks for it (rematerialisation, as in Chen, Xu, Zhang and Guestrin, "Training deep nets with
// sublinear memory cost", 2016).

#include "passes/pass.h"

namespace gradus::passes {

// Needs scheduled kernels: what there is to gain is read from the plan of memory. Results are the
// same, bit for bit: the same kernel is called again with the same operands.
absl::StatusOr<bool> Recompute(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
