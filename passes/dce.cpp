#include "passes/dce.h"

#include <ranges>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "ir/op_def.h"

namespace gradus::passes {
namespace {

bool DceFunction(ir::Function& function) {
  std::vector<bool> dead(static_cast<size_t>(function.id_bound()), true);
  for (const ir::Result& r : function.results()) {
    dead[static_cast<size_t>(r.value.node()->id())] = false;
  }
  bool any = false;
  for (const auto& node : std::views::reverse(function.nodes())) {
    if (dead[static_cast<size_t>(node->id())]) {
      any = true;
      continue;
    }
    for (const ir::Value v : node->operands()) dead[static_cast<size_t>(v.node()->id())] = false;
  }
  if (any) function.Erase(dead);
  return any;
}

// Bodies that no node names any more. One may have been named by another.
bool EraseBodies(ir::Module& module) {
  bool changed = false;
  while (true) {
    absl::flat_hash_set<std::string> named;
    for (const auto& f : module.functions()) {
      for (const auto& node : f->nodes()) {
        for (const ir::NamedAttribute& a : node->attrs()) {
          if (const auto* callee = std::get_if<ir::FunctionRef>(&a.value)) {
            named.insert(callee->name);
          }
        }
      }
    }
    std::vector<const ir::Function*> dead;
    for (const auto& f : module.functions()) {
      if (f->kind() == ir::FunctionKind::kBody && !named.contains(f->name()))
        dead.push_back(f.get());
    }
    for (const ir::Function* f : dead) module.EraseFunction(f);
    if (dead.empty()) return changed;
    changed = true;
  }
}

}  // namespace

absl::StatusOr<bool> Dce(ir::Module& module, const PassContext&) {
  bool changed = false;
  for (const auto& f : module.functions()) changed = DceFunction(*f) || changed;
  return EraseBodies(module) || changed;
}

}  // namespace gradus::passes
