#include "passes/simplify.h"

#include <optional>
#include <ranges>
#include <utility>

#include "ir/loop/lowerer.h"
#include "ir/op_def.h"
#include "ir/ops/leaf.h"

namespace gradus::passes {
namespace {

using ir::Function;
using ir::Node;
using ir::Value;

// Rules shrink or keep the graph, so few rounds are needed; a bound keeps two rules that undo each
// other from hanging.
constexpr int kMaxRounds = 16;

// The one number that all elements of an op on splat constants equal: lowers the op with its
// operands and looks whether the arena folded its scalar to a constant.
const loop::Scalar* FoldedScalar(const Node& node, bool has_tables,
                                 std::unique_ptr<loop::Kernel>& keep_alive) {
  if (!node.op().has(ir::kPointwise) && !node.op().has(ir::kMovement)) return nullptr;
  if (node.op().at == nullptr || node.num_results() != 1 || node.num_operands() == 0)
    return nullptr;
  for (const Value v : node.operands()) {
    if (!v.node()->op().has(ir::kSplat)) return nullptr;
  }
  Function alone("one_node", ir::FunctionKind::kKernel);
  std::vector<Value> operands;
  for (const Value v : node.operands()) {
    operands.push_back(
        alone
            .Append(v.node()->op(), {}, v.node()->attrs(), v.node()->types(), v.node()->location())
            ->result());
  }
  alone.AddResult(
      alone.Append(node.op(), operands, node.attrs(), node.types(), node.location())->result());
  auto kernel = loop::Lower(alone, has_tables);
  if (!kernel.ok() || (*kernel)->stores.size() != 1) return nullptr;
  keep_alive = *std::move(kernel);
  const loop::Scalar* value = keep_alive->stores[0].value;
  return value->kind == loop::ScalarKind::kConst ? value : nullptr;
}

Value Fold(Function& f, const Node& node, bool has_tables) {
  std::unique_ptr<loop::Kernel> kernel;
  const loop::Scalar* value = FoldedScalar(node, has_tables, kernel);
  if (value == nullptr) return {};
  return ir::IsFloat(node.type().dtype) ? ir::constant(f, node.type(), value->number)
                                        : ir::constant_int(f, node.type(), value->integer);
}

// By node id: whether a result depends on it. What an earlier round replaced is dead and must not
// be replaced again: it would count as a change, round after round.
std::vector<bool> LiveNodes(const Function& f) {
  std::vector<bool> live(static_cast<size_t>(f.id_bound()), false);
  for (const ir::Result& r : f.results()) live[static_cast<size_t>(r.value.node()->id())] = true;
  for (const auto& node : std::views::reverse(f.nodes())) {
    if (!live[static_cast<size_t>(node->id())]) continue;
    for (const Value v : node->operands()) live[static_cast<size_t>(v.node()->id())] = true;
  }
  return live;
}

// One round over the nodes. New nodes go right before the node that they replace.
bool Round(Function& f, bool has_tables) {
  const std::vector<bool> live = LiveNodes(f);
  const int count = static_cast<int>(f.nodes().size());
  std::vector<absl::InlinedVector<Value, 1>> replacement(static_cast<size_t>(f.id_bound()));
  std::vector<int> order;
  order.reserve(static_cast<size_t>(count));
  bool changed = false;
  for (int i = 0; i < count; ++i) {
    Node& node = *f.nodes()[static_cast<size_t>(i)];
    if (!live[static_cast<size_t>(node.id())]) {
      order.push_back(i);
      continue;
    }
    for (int k = 0; k < node.num_operands(); ++k) {
      const Value v = node.operand(k);
      const auto id = static_cast<size_t>(v.node()->id());
      if (id < replacement.size() && !replacement[id].empty())
        node.set_operand(k, replacement[id][0]);
    }
    const int first = static_cast<int>(f.nodes().size());
    f.set_location_override(node.location());
    Value with = node.op().simplify != nullptr ? node.op().simplify(node) : Value();
    if (!with) with = Fold(f, node, has_tables);
    f.set_location_override(std::nullopt);
    for (int k = first; k < static_cast<int>(f.nodes().size()); ++k) order.push_back(k);
    order.push_back(i);
    if (!with || with == node.result()) continue;
    IR_CHECK_MSG(with.type() == node.type(), node.op().name);
    replacement[static_cast<size_t>(node.id())] = {with};
    changed = true;
  }
  f.Reorder(std::move(order));
  if (!changed) return false;
  f.ReplaceUses(replacement);
  return true;
}

}  // namespace

absl::StatusOr<bool> Simplify(ir::Module& module, const PassContext& context) {
  bool changed = false;
  for (const auto& f : module.functions()) {
    for (int round = 0; round < kMaxRounds && Round(*f, context.target.has_tables); ++round)
      changed = true;
  }
  return changed;
}

}  // namespace gradus::passes
