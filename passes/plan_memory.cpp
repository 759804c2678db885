#include "passes/plan_memory.h"

#include <utility>

#include "fmt/format.h"
#include "ir/loop/entry_plan.h"
#include "passes/memory/arena_limit.h"
#include "passes/memory/calls.h"
#include "passes/memory/entry_planner.h"

namespace gradus::passes {
absl::StatusOr<bool> PlanMemory(ir::Module& module, const PassContext& context) {
  for (const auto& f : module.functions()) {
    if (!f->is_graph() || IsLowered(module, *f)) continue;
    return absl::FailedPreconditionError(
        fmt::format("plan-memory: @{} still has nodes that are no calls of scheduled kernels; "
                    "run form-kernels, "
                    "lower-to-loops and schedule first",
                    f->name()));
  }
  bool changed = false;
  for (const auto& f : module.functions()) {
    if (f->kind() != ir::FunctionKind::kGraph) continue;
    absl::StatusOr<PlannedEntry> planned = PlanEntry(*f, module, context);
    if (!planned.ok()) return planned.status();
    if (context.max_arena > 0 && planned->bytes > context.max_arena) {
      return ArenaTooLarge(*f, *planned, context);
    }
    f->entry = std::move(planned->plan);
    changed = true;
  }
  return changed;
}

}  // namespace gradus::passes
