#pragma once

// Whether and how a node of a loop's body is done for all steps at once (see OverSteps in
// ir/op_def.h).

#include <span>

#include "ir/op_def.h"

namespace gradus::passes {

// Tries `rule` without leaving a trace: whether it gives a value for operands stacked over
// `length` steps as `stacked` says.
bool CanDo(ir::OverStepsRule rule, const ir::Node& step, std::span<const bool> stacked,
           const ir::Dim& length);

// Appends to `f` what gives the node's results for all steps: by its rule, or, pointwise, with
// operands that are not stacked repeated.
ir::Value AllSteps(ir::Function& f, const ir::Node& step, std::span<const ir::Value> operands,
                   std::span<const bool> stacked, const ir::Dim& length);

}  // namespace gradus::passes
