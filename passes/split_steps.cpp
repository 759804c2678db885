#include "passes/split_steps.h"

#include "passes/threads/split_step.h"
#include "passes/threads/turns.h"

namespace gradus::passes {

absl::StatusOr<bool> SplitSteps(ir::Module& module, const PassContext& context) {
  bool changed = false;
  for (const auto& function : module.functions()) {
    if (function->plan == nullptr) continue;
    std::vector<loop::Step>& steps = function->plan->steps;
    for (loop::Step& step : steps) {
      std::visit(
          [&](auto& s) {
            s.split = ChooseSplit(s, context.target);
            changed |= s.split.variable != nullptr;
          },
          step);
    }
    for (size_t i = 0; i + 1 < steps.size(); ++i) {
      auto* nest = std::get_if<loop::Nest>(&steps[i]);
      const auto* next = std::get_if<loop::Contraction>(&steps[i + 1]);
      if (nest == nullptr || next == nullptr) continue;
      nest->turns = ChooseTurns(*function->plan, *nest, *next, context.target);
    }
  }
  return changed;
}

}  // namespace gradus::passes
