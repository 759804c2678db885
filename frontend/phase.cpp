#include "frontend/phase.h"

#include <algorithm>
#include <ranges>
#include <string>
#include <utility>

#include "ir/module.h"
#include "ir/op_def.h"

namespace gradus {
namespace {

bool DependsOnPhase(const ir::Module& module, const ir::Function& f) {
  return std::ranges::any_of(f.nodes(), [&](const auto& node) {
    if (node->op().has(ir::kByPhase)) return true;
    if (!node->op().has(ir::kLoop)) return false;
    return DependsOnPhase(module,
                          *module.Find(node->template attr<ir::FunctionRef>("callee").name));
  });
}

// The step of a loop as it is in a phase: a function of its own where that makes a difference.
std::string StepForPhase(ir::Module& module, const std::string& callee, Phase phase) {
  const ir::Function& step = *module.Find(callee);
  if (!DependsOnPhase(module, step)) return callee;
  const std::string name = callee + (phase == Phase::kTraining ? ".training" : ".inference");
  if (module.Find(name) != nullptr) return name;
  ir::Function& chosen = module.AddFunction(name, ir::FunctionKind::kBody);
  for (int i = 0; i < step.num_args(); ++i) {
    const ir::Node& a = *step.arg(i).node();
    chosen.AddArgument(a.name(), a.type(), a.location());
  }
  std::vector<Tensor> wanted;
  for (const ir::Result& r : step.results()) wanted.push_back(r.value);
  const std::vector<Tensor> results =
      CopyForPhase(chosen, step, wanted, phase, [&](int i) { return chosen.arg(i); });
  for (size_t i = 0; i < results.size(); ++i) chosen.AddResult(results[i], step.results()[i].name);
  return name;
}

}  // namespace

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
    ir::AttrList attrs = node->attrs();
    if (node->op().has(ir::kLoop)) {
      for (ir::NamedAttribute& a : attrs) {
        auto* callee = std::get_if<ir::FunctionRef>(&a.value);
        if (callee != nullptr) callee->name = StepForPhase(*to.module(), callee->name, phase);
      }
    }
    ir::Node* copy = to.Append(node->op(), {operands.data(), operands.size()}, std::move(attrs),
                               node->types(), node->location());
    for (int r = 0; r < copy->num_results(); ++r) copies[id].push_back(copy->result(r));
  }
  std::vector<Tensor> results;
  results.reserve(wanted.size());
  for (const Tensor v : wanted) results.push_back(copy_of(v));
  return results;
}

}  // namespace gradus
