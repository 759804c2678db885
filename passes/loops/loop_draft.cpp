#include "passes/loops/loop_draft.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"
#include "ir/op_def.h"

namespace gradus::passes {
namespace {

using ir::Function;
using ir::Node;
using ir::Value;

// Nodes of the body that `wanted` depend on, up to values that are given otherwise.
absl::flat_hash_set<const Node*> LiveNodes(const LoopDraft& draft, std::span<const Value> wanted,
                                           absl::flat_hash_set<Value>* reached) {
  absl::flat_hash_set<Value> given;
  for (const auto* list : {&draft.sequences, &draft.invariants}) {
    for (const LoopDraft::Operand& o : *list) given.insert(o.stands);
  }
  absl::flat_hash_set<const Node*> live;
  std::vector<Value> pending(wanted.begin(), wanted.end());
  while (!pending.empty()) {
    const Value v = pending.back();
    pending.pop_back();
    if (!reached->insert(v).second) continue;
    if (given.contains(v) || v.node()->is_argument()) continue;
    if (!live.insert(v.node()).second) continue;
    for (const Value o : v.node()->operands()) pending.push_back(o);
  }
  return live;
}

std::vector<Value> Wanted(const LoopDraft& draft) {
  std::vector<Value> wanted;
  for (const LoopDraft::Carry& c : draft.carries) wanted.push_back(c.next);
  for (const LoopDraft::Output& o : draft.outputs) wanted.push_back(o.value);
  return wanted;
}

std::string NameOf(Value v) {
  return v.node()->is_argument() ? v.node()->name() : std::string(v.node()->op().name);
}

// "lstm.step.saving_3" to "lstm.step.saving".
std::string Stem(const std::string& name) {
  const size_t end = name.find_last_not_of("0123456789");
  return end != std::string::npos && end + 1 < name.size() && name[end] == '_' ? name.substr(0, end)
                                                                               : name;
}

}  // namespace

LoopDraft::LoopDraft(Node& of) : loop(of), body(ir::ScanView(of).body()) {
  const ir::ScanView scan(of);
  options = {.length = scan.length(), .reverse = scan.reverse()};
  int next = 0;
  for (int i = 0; i < scan.carries(); ++i, ++next) {
    carries.push_back(
        {of.operand(next), body.arg(next), body.results()[static_cast<size_t>(next)].value, next});
  }
  for (int i = 0; i < scan.sequences(); ++i, ++next) {
    sequences.push_back({of.operand(next), body.arg(next)});
  }
  for (; next < of.num_operands(); ++next) {
    invariants.push_back({of.operand(next), body.arg(next)});
  }
  for (int r = scan.carries(); r < of.num_results(); ++r) {
    outputs.push_back({body.results()[static_cast<size_t>(r)].value, r});
  }
}

int LoopDraft::OutputOf(Value value) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].value == value) return static_cast<int>(i);
  }
  outputs.push_back({value, -1});
  return static_cast<int>(outputs.size()) - 1;
}

LoopDraft::Built LoopDraft::Build() const {
  ir::Module& module = *loop.function().module();
  Function& to = module.AddFunction(module.UniqueName(Stem(body.name())), ir::FunctionKind::kBody);
  absl::flat_hash_set<Value> reached;
  const auto live = LiveNodes(*this, Wanted(*this), &reached);
  absl::flat_hash_map<Value, Value> map;
  absl::flat_hash_set<std::string> names;
  const auto argument = [&](Value stands) {
    const std::string stem = NameOf(stands);
    std::string name = stem;
    for (int n = 1; !names.insert(name).second; ++n) name = fmt::format("{}_{}", stem, n);
    map[stands] = to.AddArgument(name, stands.type(), stands.node()->location());
  };
  std::vector<Value> initial, sequence_operands, invariant_operands;
  for (const Carry& c : carries) {
    argument(c.old);
    initial.push_back(c.initial);
  }
  for (const Operand& o : sequences) {
    if (!reached.contains(o.stands)) continue;
    argument(o.stands);
    sequence_operands.push_back(o.value);
  }
  for (const Operand& o : invariants) {
    if (!reached.contains(o.stands)) continue;
    argument(o.stands);
    invariant_operands.push_back(o.value);
  }
  for (const auto& n : body.nodes()) {
    if (!live.contains(n.get())) continue;
    std::vector<Value> operands;
    for (const Value v : n->operands()) operands.push_back(map.at(v));
    Node* copy = to.Append(n->op(), operands, n->attrs(), n->types(), n->location());
    for (int r = 0; r < n->num_results(); ++r) map.try_emplace(n->result(r), copy->result(r));
  }
  for (const Carry& c : carries) to.AddResult(map.at(c.next));
  for (const Output& o : outputs) to.AddResult(map.at(o.value));
  Node* node = ir::scan(loop.function(), to, initial, sequence_operands, invariant_operands,
                        options, loop.location());
  IR_CHECK_MSG(node != nullptr, "a loop put together again");
  Built built;
  int next = 0;
  for (size_t i = 0; i < carries.size(); ++i) built.carries.push_back(node->result(next++));
  for (size_t i = 0; i < outputs.size(); ++i) built.outputs.push_back(node->result(next++));
  return built;
}

bool RemoveUnused(LoopDraft& draft, const std::vector<bool>& used) {
  const size_t carries = draft.carries.size(), outputs = draft.outputs.size();
  const auto is_used = [&](int result) { return result < 0 || used[static_cast<size_t>(result)]; };
  std::erase_if(draft.outputs, [&](const LoopDraft::Output& o) { return !is_used(o.result); });
  // Carries that are needed: by the function, or by what is. Each round finds more.
  std::vector<bool> needed(carries, false);
  for (bool grows = true; grows;) {
    grows = false;
    std::vector<Value> wanted;
    for (const LoopDraft::Output& o : draft.outputs) wanted.push_back(o.value);
    for (size_t i = 0; i < carries; ++i) {
      if (needed[i] || is_used(draft.carries[i].result)) wanted.push_back(draft.carries[i].next);
    }
    absl::flat_hash_set<Value> reached;
    LiveNodes(draft, wanted, &reached);
    for (size_t i = 0; i < carries; ++i) {
      const bool is = is_used(draft.carries[i].result) || reached.contains(draft.carries[i].old);
      if (!is || needed[i]) continue;
      needed[i] = true;
      grows = true;
    }
  }
  std::vector<LoopDraft::Carry> kept;
  for (size_t i = 0; i < carries; ++i) {
    if (needed[i]) kept.push_back(draft.carries[i]);
  }
  draft.carries = std::move(kept);
  bool smaller = draft.carries.size() < carries || draft.outputs.size() < outputs;
  absl::flat_hash_set<Value> reached;
  LiveNodes(draft, Wanted(draft), &reached);
  for (auto* list : {&draft.sequences, &draft.invariants}) {
    const size_t count = std::erase_if(
        *list, [&](const LoopDraft::Operand& o) { return !reached.contains(o.stands); });
    smaller = smaller || count > 0;
  }
  return smaller;
}

namespace {

bool RewriteInFunction(Function& f, LoopRewrite rewrite) {
  const size_t count = f.nodes().size();
  std::vector<std::vector<bool>> used(static_cast<size_t>(f.id_bound()));
  const auto use = [&](Value v) {
    auto& list = used[static_cast<size_t>(v.node()->id())];
    list.resize(static_cast<size_t>(v.node()->num_results()), false);
    list[static_cast<size_t>(v.result())] = true;
  };
  for (const ir::Result& r : f.results()) use(r.value);
  for (const auto& n : f.nodes()) {
    for (const Value v : n->operands()) use(v);
  }
  std::vector<absl::InlinedVector<Value, 1>> replacement(static_cast<size_t>(f.id_bound()));
  std::vector<bool> dead(static_cast<size_t>(f.id_bound()), false);
  std::vector<int> order;
  bool changed = false;
  for (size_t i = 0; i < count; ++i) {
    Node& node = *f.nodes()[i];
    order.push_back(static_cast<int>(i));
    if (!node.op().has(ir::kLoop)) continue;
    auto& list = used[static_cast<size_t>(node.id())];
    list.resize(static_cast<size_t>(node.num_results()), false);
    const size_t first = f.nodes().size();
    f.set_location_override(node.location());
    const std::vector<Value> with = rewrite(node, list);
    f.set_location_override(std::nullopt);
    for (size_t k = first; k < f.nodes().size(); ++k) order.push_back(static_cast<int>(k));
    if (with.empty()) continue;
    changed = true;
    replacement[static_cast<size_t>(node.id())].assign(with.begin(), with.end());
    dead[static_cast<size_t>(node.id())] = true;
  }
  if (!changed) return false;
  f.Reorder(std::move(order));
  f.ReplaceUses(replacement);
  dead.resize(static_cast<size_t>(f.id_bound()), false);
  f.Erase(dead);
  return true;
}

}  // namespace

bool RewriteLoops(ir::Module& module, LoopRewrite rewrite) {
  bool changed = false;
  // Bodies are added behind while this goes on.
  for (size_t i = 0; i < module.functions().size(); ++i) {  // NOLINT(modernize-loop-convert)
    Function& f = *module.functions()[i];
    if (f.is_graph()) changed = RewriteInFunction(f, rewrite) || changed;
  }
  return changed;
}

}  // namespace gradus::passes
