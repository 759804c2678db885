#include "passes/schedule.h"

#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"
#include "ir/op_def.h"
#include "passes/scheduling/kernel_scheduler.h"

namespace gradus::passes {

absl::flat_hash_set<std::string> CalledInLoops(const ir::Module& module) {
  absl::flat_hash_set<std::string> names;
  for (const auto& function : module.functions()) {
    if (function->kind() != ir::FunctionKind::kBody) continue;
    for (const auto& node : function->nodes()) {
      if (node->op().has(ir::kCall)) names.insert(node->attr<ir::FunctionRef>("callee").name);
    }
  }
  return names;
}

absl::StatusOr<bool> Schedule(ir::Module& module, const PassContext& context) {
  bool changed = false;
  const absl::flat_hash_set<std::string> in_loops = CalledInLoops(module);
  for (const auto& [name, choices] : context.choices) {
    const ir::Function* f = module.Find(name);
    if (f != nullptr && f->kernel != nullptr) continue;
    return absl::InvalidArgumentError(
        fmt::format("schedule: there is no kernel @{} to choose a schedule for", name));
  }
  for (const auto& function : module.functions()) {
    if (function->kernel == nullptr) continue;
    const auto chosen = context.choices.find(function->name());
    auto plan = scheduling::ScheduleKernel(
        *function->kernel, context.target, in_loops.contains(function->name()),
        chosen == context.choices.end() ? std::span<const scheduling::Choice>() : chosen->second);
    if (!plan.ok()) return plan.status();
    function->plan = *std::move(plan);
    changed = true;
  }
  return changed;
}

}  // namespace gradus::passes
