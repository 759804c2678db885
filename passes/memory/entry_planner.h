#pragma once

// The plan of one entry: the order of its steps and the place of every value, for the sizes that
// the context says.

#include "absl/status/statusor.h"
#include "ir/module.h"
#include "passes/memory/plan_builder.h"
#include "passes/pass.h"

namespace gradus::passes {

// Every node of `function` is a call of a scheduled kernel, or a loop over time. Of several orders
// of the calls the one with which least lives at once is taken, the given one of equals. Without
// `layout` there are no offsets (PlanBuilder::Finish): quicker by far.
absl::StatusOr<PlannedEntry> PlanEntry(const ir::Function& function, const ir::Module& module,
                                       const PassContext& context, bool layout = true);

}  // namespace gradus::passes
