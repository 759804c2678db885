#include "passes/inline_calls.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "fmt/format.h"
#include "ir/op_def.h"

namespace gradus::passes {
namespace {

using ir::Function;
using ir::Node;
using ir::Value;

// More nodes than any real model has: calls of calls of calls grow exponentially.
constexpr int kMaxNodes = 2'000'000;

const Function* InlinableCallee(const ir::Module& module, const Node& node) {
  if (!node.op().has(ir::kCall)) return nullptr;
  const Function* callee = module.Find(node.attr<ir::FunctionRef>("callee").name);
  return callee != nullptr && callee->kind() == ir::FunctionKind::kGraph ? callee : nullptr;
}

// Requires that the callees have no inlinable calls left.
absl::StatusOr<bool> InlineInFunction(const ir::Module& module, Function& f) {
  const int count = static_cast<int>(f.nodes().size());
  std::vector<absl::InlinedVector<Value, 1>> replacement(static_cast<size_t>(f.id_bound()));
  std::vector<bool> dead(static_cast<size_t>(f.id_bound()), false);
  std::vector<int> order;
  bool changed = false;
  for (int i = 0; i < count; ++i) {
    Node* node = f.nodes()[static_cast<size_t>(i)].get();
    order.push_back(i);
    const Function* callee = InlinableCallee(module, *node);
    if (callee == nullptr) continue;
    changed = true;
    const int first = static_cast<int>(f.nodes().size());
    if (first + static_cast<int>(callee->nodes().size()) > kMaxNodes) {
      return absl::ResourceExhaustedError(
          fmt::format("inline-calls: @{} grows beyond {} nodes; its calls are nested too often",
                      f.name(), kMaxNodes));
    }
    const std::vector<Value> results = InlineInto(f, *callee, node->operands());
    for (int k = first; k < static_cast<int>(f.nodes().size()); ++k) order.push_back(k);
    replacement[static_cast<size_t>(node->id())].assign(results.begin(), results.end());
    dead[static_cast<size_t>(node->id())] = true;
  }
  if (!changed) return false;
  f.Reorder(std::move(order));
  f.ReplaceUses(replacement);
  dead.resize(static_cast<size_t>(f.id_bound()), false);
  f.Erase(dead);
  return true;
}

}  // namespace

// Callees first: a walk of the call graph with an explicit stack (the verifier has refused
// recursion).
absl::StatusOr<bool> InlineCalls(ir::Module& module, const PassContext&) {
  enum class State : char { kNew, kOpen, kDone };
  absl::flat_hash_map<const Function*, State> state;
  std::vector<Function*> stack;
  for (const auto& f : module.functions()) {
    if (f->is_graph()) stack.push_back(f.get());
  }
  bool changed = false;
  while (!stack.empty()) {
    Function* f = stack.back();
    State& s = state[f];
    if (s == State::kNew) {
      s = State::kOpen;
      for (const auto& node : f->nodes()) {
        const Function* callee = InlinableCallee(module, *node);
        if (callee != nullptr && state[callee] == State::kNew) {
          stack.push_back(module.Find(callee->name()));
        }
      }
      continue;
    }
    stack.pop_back();
    if (s == State::kDone) continue;
    s = State::kDone;
    absl::StatusOr<bool> inlined = InlineInFunction(module, *f);
    if (!inlined.ok()) return inlined.status();
    changed = *inlined || changed;
  }
  return changed;
}

}  // namespace gradus::passes
