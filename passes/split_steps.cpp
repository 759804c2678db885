#include "passes/split_steps.h"

#include "passes/threads/split_step.h"
#include "passes/threads/turns.h"

namespace gradus::passes {
namespace {

void TakeTurns(const loop::Plan& plan, loop::Nest& nest, const loop::Contraction& next,
               const PassContext& context) {
  nest.turns = ChooseTurns(plan, nest, next, context.target);
  // They are shared as the product is.
  if (nest.turns.units > 0) {
    const loop::Variable* own = nest.split.variable;
    nest.split = next.split;
    nest.split.variable = own;
  }
}

void TakeTurns(const loop::Plan&, loop::Contraction& c, const loop::Nest& next,
               const PassContext& context) {
  c.turns = ChooseTurns(c, next, context.target);
}

template <typename Step>
void TakeTurns(const loop::Plan&, const Step&, const Step&, const PassContext&) {}

}  // namespace

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
      std::visit([&](auto& step, auto& next) { TakeTurns(*function->plan, step, next, context); },
                 steps[i], steps[i + 1]);
    }
  }
  return changed;
}

}  // namespace gradus::passes
