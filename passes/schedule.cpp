#include "passes/schedule.h"

#include "passes/scheduling/kernel_scheduler.h"

namespace gradus::passes {

absl::StatusOr<bool> Schedule(ir::Module& module, const PassContext& context) {
  bool changed = false;
  for (const auto& function : module.functions()) {
    if (function->kernel == nullptr) continue;
    function->plan = scheduling::ScheduleKernel(*function->kernel, context.target);
    changed = true;
  }
  return changed;
}

}  // namespace gradus::passes
