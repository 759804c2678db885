#include "passes/form_kernels.h"

#include "passes/kernels/grouping.h"

namespace gradus::passes {

absl::StatusOr<bool> FormKernels(ir::Module& module, const PassContext&) {
  KernelPool pool(module);
  bool changed = false;
  const size_t count = module.functions().size();  // kernels are added behind
  for (size_t i = 0; i < count; ++i) {
    ir::Function& f = *module.functions()[i];
    if (f.kind() != ir::FunctionKind::kGraph) continue;
    const FunctionCut cut = GroupIntoKernels(f);
    if (cut.empty()) continue;
    Outline(f, cut, pool);
    changed = true;
  }
  return changed;
}

}  // namespace gradus::passes
