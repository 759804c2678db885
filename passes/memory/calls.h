#pragma once

// The kernel that a call node calls.

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

}  // namespace gradus::passes
