#include "passes/kernels/repeatable.h"

#include <algorithm>

#include "ir/op_def.h"

namespace gradus::passes {
namespace {
// Chains longer than this are stored: they would be evaluated once a use. Arithmetic counts more
// than movement, which costs index arithmetic at compile time only.
constexpr int kMovementLimit = 8;
constexpr int kArithmeticLimit = 4;
constexpr size_t kSourceLimit = 4;

void AddSource(std::vector<Source>* list, const Source& s) {
  for (Source& known : *list) {
    if (known.value == s.value) {
      known.moved |= s.moved;
      return;
    }
  }
  list->push_back(s);
}
}  // namespace

Repeatable::Repeatable(const ir::Function& f)
    : repeatable_(static_cast<size_t>(f.id_bound()), false),
      cost_(static_cast<size_t>(f.id_bound()), 0),
      sources_(static_cast<size_t>(f.id_bound())) {
  std::vector<bool> is_result(static_cast<size_t>(f.id_bound()), false);
  for (const ir::Result& r : f.results())
    is_result[static_cast<size_t>(r.value.node()->id())] = true;
  for (const auto& node : f.nodes()) {  // what is passed to a function must be stored, too
    if (!node->op().has(ir::kCall)) continue;
    for (const ir::Value v : node->operands())
      is_result[static_cast<size_t>(v.node()->id())] = true;
  }
  // What is gathered from has to be in memory, as a result has.
  for (const auto& node : f.nodes()) {
    if (node->op().has(ir::kGathers))
      is_result[static_cast<size_t>(node->operand(0).node()->id())] = true;
  }
  for (const auto& node : f.nodes()) Classify(*node, is_result[static_cast<size_t>(node->id())]);
}

std::vector<Source> Repeatable::SourcesOf(ir::Value operand, bool moved) const {
  if (!contains(*operand.node())) return {{operand, moved}};
  std::vector<Source> list = sources_[static_cast<size_t>(operand.node()->id())];
  for (Source& s : list) s.moved |= moved;
  return list;
}

void Repeatable::Classify(const ir::Node& n, bool is_result) {
  if (is_result) return;
  const auto id = static_cast<size_t>(n.id());
  const ir::OpDef& op = n.op();
  if (op.has(ir::kLeaf) || op.has(ir::kTypeOnly)) {
    repeatable_[id] = true;
    return;
  }
  const bool movement = op.has(ir::kMovement);
  if (!movement && (!op.has(ir::kPointwise) || op.has(ir::kTranscendental))) return;
  int cost = 1;
  std::vector<Source> sources;
  bool only_arguments = true;
  for (const ir::Value v : n.operands()) {
    cost += v.node()->is_argument() ? 0 : cost_[static_cast<size_t>(v.node()->id())];
    for (const Source& s : SourcesOf(v, movement)) {
      AddSource(&sources, s);
      only_arguments &= s.value.node()->is_argument();
    }
  }
  if (cost > (movement ? kMovementLimit : kArithmeticLimit) || sources.size() > kSourceLimit)
    return;
  if (!movement && !only_arguments) return;
  repeatable_[id] = true;
  cost_[id] = cost;
  sources_[id] = std::move(sources);
}

}  // namespace gradus::passes
