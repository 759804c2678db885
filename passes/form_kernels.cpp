#include "passes/form_kernels.h"

#include "passes/kernels/grouping.h"

namespace gradus::passes {

absl::StatusOr<bool> FormKernels(ir::Module& module, const PassContext&) {
  return OutlineGraphs(module, GroupIntoKernels);
}

}  // namespace gradus::passes
