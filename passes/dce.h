#pragma once

// Dead code: removes nodes whose results no result of the function depends on. Arguments stay: they
// are the signature. Loops over time lose the carries, outputs and operands that nobody needs;
// bodies that no loop names any more go, too.

#include "passes/pass.h"

namespace gradus::passes {

absl::StatusOr<bool> Dce(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
