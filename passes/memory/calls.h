#pragma once

// The calls of a function whose kernels are scheduled.

#include "ir/loop/kernel.h"
#include "ir/loop/plan.h"
#include "ir/module.h"
#include "ir/op_def.h"

namespace gradus::passes {

inline bool IsKernelCall(const ir::Module& module, const ir::Node& node) {
  if (!node.op().has(ir::kCall)) return false;
  const ir::Function* callee = module.Find(node.attr<ir::FunctionRef>("callee").name);
  return callee != nullptr && callee->kind() == ir::FunctionKind::kKernel;
}

inline const ir::Function& CalleeOf(const ir::Module& module, const ir::Node& node) {
  const ir::Function* callee = module.Find(node.attr<ir::FunctionRef>("callee").name);
  IR_CHECK(callee != nullptr);
  return *callee;
}

// True if every node is a call of a scheduled kernel, or a loop over time.
inline bool IsLowered(const ir::Module& module, const ir::Function& f) {
  for (const auto& node : f.nodes()) {
    if (node->op().has(ir::kLoop)) continue;
    if (!IsKernelCall(module, *node)) return false;
    const ir::Function& kernel = CalleeOf(module, *node);
    if (kernel.kernel == nullptr || kernel.plan == nullptr) return false;
  }
  return true;
}

}  // namespace gradus::passes
