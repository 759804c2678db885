#include "passes/schedule.h"

#include "absl/container/flat_hash_set.h"
#include "ir/op_def.h"
#include "passes/scheduling/kernel_scheduler.h"

namespace gradus::passes {

namespace {

// The kernels that loops over time call.
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

}  // namespace

absl::StatusOr<bool> Schedule(ir::Module& module, const PassContext& context) {
  bool changed = false;
  const absl::flat_hash_set<std::string> in_loops = CalledInLoops(module);
  for (const auto& function : module.functions()) {
    if (function->kernel == nullptr) continue;
    function->plan = scheduling::ScheduleKernel(*function->kernel, context.target,
                                                in_loops.contains(function->name()));
    changed = true;
  }
  return changed;
}

}  // namespace gradus::passes
