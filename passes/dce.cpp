#include "passes/dce.h"

namespace gradus::passes {
namespace {

bool DceFunction(ir::Function& function) {
  std::vector<bool> dead(static_cast<size_t>(function.id_bound()), true);
  for (const ir::Result& r : function.results()) {
    dead[static_cast<size_t>(r.value.node()->id())] = false;
  }
  bool any = false;
  const auto& nodes = function.nodes();
  for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
    if (dead[static_cast<size_t>((*it)->id())]) {
      any = true;
      continue;
    }
    for (const ir::Value v : (*it)->operands()) dead[static_cast<size_t>(v.node()->id())] = false;
  }
  if (any) function.Erase(dead);
  return any;
}

}  // namespace

absl::StatusOr<bool> Dce(ir::Module& module, const PassContext&) {
  bool changed = false;
  for (const auto& f : module.functions()) changed = DceFunction(*f) || changed;
  return changed;
}

}  // namespace gradus::passes
