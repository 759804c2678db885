#include "frontend/phase.h"

#include <ranges>

#include "ir/op_def.h"

namespace gradus {

std::vector<Tensor> CopyForPhase(ir::Function& to, const ir::Function& from,
                                 std::span<const Tensor> wanted, Phase phase,
                                 absl::FunctionRef<Tensor(int)> argument) {
  const auto chosen = [phase](Tensor v) {
    while (v.node()->op().has(ir::kByPhase)) {
      v = v.node()->operand(phase == Phase::kTraining ? 0 : 1);
    }
    return v;
  };
  std::vector<bool> needed(static_cast<size_t>(from.id_bound()), false);
  for (const Tensor v : wanted) needed[static_cast<size_t>(chosen(v).node()->id())] = true;
  for (const auto& node : from.nodes() | std::views::reverse) {
    if (!needed[static_cast<size_t>(node->id())]) continue;
    for (const Tensor v : node->operands()) {
      needed[static_cast<size_t>(chosen(v).node()->id())] = true;
    }
  }
  // What stands for each node's results.
  std::vector<absl::InlinedVector<Tensor, 1>> copies(needed.size());
  for (int i = 0; i < from.num_args(); ++i) {
    const auto id = static_cast<size_t>(from.arg(i).node()->id());
    if (needed[id]) copies[id].push_back(argument(i));
  }
  const auto copy_of = [&](Tensor v) {
    v = chosen(v);
    return copies[static_cast<size_t>(v.node()->id())][static_cast<size_t>(v.result())];
  };
  for (const auto& node : from.nodes()) {
    const auto id = static_cast<size_t>(node->id());
    if (!needed[id]) continue;
    absl::InlinedVector<Tensor, 4> operands;
    for (const Tensor v : node->operands()) operands.push_back(copy_of(v));
    ir::Node* copy = to.Append(node->op(), {operands.data(), operands.size()}, node->attrs(),
                               node->types(), node->location());
    for (int r = 0; r < copy->num_results(); ++r) copies[id].push_back(copy->result(r));
  }
  std::vector<Tensor> results;
  results.reserve(wanted.size());
  for (const Tensor v : wanted) results.push_back(copy_of(v));
  return results;
}

}  // namespace gradus
