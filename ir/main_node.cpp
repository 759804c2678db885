#include "ir/main_node.h"

#include "ir/op_def.h"

namespace gradus::ir {

const Node* MainNode(const Function& kernel) {
  const Node* main = nullptr;
  for (const auto& n : kernel.nodes()) {
    if (!n->location().known()) continue;
    if (n->op().has(kContraction)) return n.get();
    if (!n->op().has(kLeaf)) main = n.get();
  }
  return main;
}

}  // namespace gradus::ir
