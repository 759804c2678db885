#include "passes/split_steps.h"

#include "passes/threads/split_step.h"

namespace gradus::passes {

absl::StatusOr<bool> SplitSteps(ir::Module& module, const PassContext& context) {
  bool changed = false;
  for (const auto& function : module.functions()) {
    if (function->plan == nullptr) continue;
    for (loop::Step& step : function->plan->steps) {
      std::visit(
          [&](auto& s) {
            s.split = ChooseSplit(s, context.target);
            changed |= s.split.variable != nullptr;
          },
          step);
    }
  }
  return changed;
}

}  // namespace gradus::passes
