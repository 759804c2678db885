#include "passes/dce.h"

#include <ranges>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "ir/op_def.h"
#include "passes/loops/loop_draft.h"

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

std::vector<ir::Value> PruneLoop(ir::Node& loop, const std::vector<bool>& used) {
  LoopDraft draft(loop);
  if (!RemoveUnused(draft, used)) return {};
  const LoopDraft::Built built = draft.Build();
  // What nobody uses needs a value all the same; any will do.
  std::vector<ir::Value> results;
  for (int r = 0; r < loop.num_results(); ++r) results.push_back(loop.result(r));
  for (size_t i = 0; i < built.carries.size(); ++i) {
    if (const int r = draft.carries[i].result; r >= 0)
      results[static_cast<size_t>(r)] = built.carries[i];
  }
  for (size_t i = 0; i < built.outputs.size(); ++i) {
    if (const int r = draft.outputs[i].result; r >= 0)
      results[static_cast<size_t>(r)] = built.outputs[i];
  }
  return results;
}

}  // namespace

absl::StatusOr<bool> Dce(ir::Module& module, const PassContext&) {
  bool changed = false;
  // A smaller loop needs fewer operands: another loop's outputs may be dead then.
  for (bool again = true; again;) {
    for (const auto& f : module.functions()) changed = DceFunction(*f) || changed;
    again = RewriteLoops(module, PruneLoop);
    changed = changed || again;
  }
  return EraseBodies(module) || changed;
}

}  // namespace gradus::passes
