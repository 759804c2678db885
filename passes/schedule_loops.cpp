#include "passes/schedule_loops.h"

#include "passes/scheduling/nests.h"

namespace gradus::passes {

absl::StatusOr<bool> ScheduleLoops(ir::Module& module, const PassContext& context) {
  bool changed = false;
  for (const auto& function : module.functions()) {
    if (function->kernel == nullptr) continue;
    const loop::Kernel& kernel = *function->kernel;
    auto plan = std::make_unique<loop::Plan>();
    plan->kernel = kernel.name;
    plan->buffers = kernel.buffers;
    for (scheduling::Block& block : scheduling::FormBlocks(kernel)) {
      plan->steps.emplace_back(
          scheduling::MakeNest(*kernel.arena, std::move(block), context.target, "nest"));
    }
    function->plan = std::move(plan);
    changed = true;
  }
  return changed;
}

}  // namespace gradus::passes
