#include "passes/lower_to_loops.h"

#include "ir/loop/lowerer.h"

namespace gradus::passes {

absl::StatusOr<bool> LowerToLoops(ir::Module& module, const PassContext& context) {
  bool changed = false;
  for (const auto& f : module.functions()) {
    if (f->kind() != ir::FunctionKind::kKernel || f->kernel != nullptr) continue;
    auto kernel = loop::Lower(*f, context.target.has_tables);
    if (!kernel.ok()) return kernel.status();
    f->kernel = *std::move(kernel);
    changed = true;
  }
  return changed;
}

}  // namespace gradus::passes
