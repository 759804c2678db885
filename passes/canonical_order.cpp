#include "passes/canonical_order.h"

#include <utility>

#include "ir/op_def.h"

namespace gradus::passes {
namespace {

bool Before(const ir::Value& a, const ir::Value& b) {
  return std::pair(a.node()->id(), a.result()) < std::pair(b.node()->id(), b.result());
}

}  // namespace

absl::StatusOr<bool> CanonicalOrder(ir::Module& module, const PassContext&) {
  bool changed = false;
  for (const auto& f : module.functions()) {
    for (const auto& node : f->nodes()) {
      if (!node->op().has(ir::kCommutative)) continue;
      const ir::Value a = node->operand(0), b = node->operand(1);
      // A constant goes last, as people write it: x + 1.
      const bool a_is_leaf = a.node()->op().has(ir::kLeaf),
                 b_is_leaf = b.node()->op().has(ir::kLeaf);
      const bool swap = a_is_leaf != b_is_leaf ? a_is_leaf : Before(b, a);
      if (!swap) continue;
      node->set_operand(0, b);
      node->set_operand(1, a);
      changed = true;
    }
  }
  return changed;
}

}  // namespace gradus::passes
