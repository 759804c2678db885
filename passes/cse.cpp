#include "passes/cse.h"

#include "absl/container/flat_hash_map.h"
#include "ir/op_def.h"

namespace gradus::passes {
namespace {

using ir::Node;
using ir::Value;

// What makes two nodes equal, as bytes: op, operand ids and results, attributes in text.
std::string Key(const Node& node) {
  std::string key(node.op().name);
  for (const Value v : node.operands()) {
    key += ' ';
    key += std::to_string(v.node()->id());
    key += '#';
    key += std::to_string(v.result());
  }
  for (const ir::NamedAttribute& a : node.attrs()) {
    key += ' ';
    key += ir::ToString(a.value);
  }
  return key;
}

bool CseFunction(ir::Function& function) {
  std::vector<absl::InlinedVector<Value, 1>> replacement(static_cast<size_t>(function.id_bound()));
  std::vector<bool> dead(static_cast<size_t>(function.id_bound()), false);
  absl::flat_hash_map<std::string, Node*> first;
  bool changed = false;
  for (const auto& node : function.nodes()) {
    for (int i = 0; i < node->num_operands(); ++i) {
      const Value v = node->operand(i);
      const auto& with = replacement[static_cast<size_t>(v.node()->id())];
      if (!with.empty()) node->set_operand(i, with[static_cast<size_t>(v.result())]);
    }
    const auto [it, inserted] = first.try_emplace(Key(*node), node.get());
    if (inserted) continue;
    changed = true;
    dead[static_cast<size_t>(node->id())] = true;
    auto& with = replacement[static_cast<size_t>(node->id())];
    for (int r = 0; r < node->num_results(); ++r) with.push_back(it->second->result(r));
  }
  if (!changed) return false;
  function.ReplaceUses(replacement);
  function.Erase(dead);
  return true;
}

}  // namespace

absl::StatusOr<bool> Cse(ir::Module& module, const PassContext&) {
  bool changed = false;
  for (const auto& f : module.functions()) changed = CseFunction(*f) || changed;
  return changed;
}

}  // namespace gradus::passes
