#include "passes/hoist_scan.h"

#include <algorithm>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "passes/loops/loop_draft.h"
#include "passes/loops/over_steps.h"

namespace gradus::passes {
namespace {

using ir::Node;
using ir::Value;

// On what a value of the body depends.
enum class Depends : uint8_t { kInvariants, kSequences, kState };

bool IsDear(const Node& n) {
  return n.op().has(ir::kContraction) || n.op().has(ir::kReduction) ||
         n.op().has(ir::kTranscendental);
}

// Steps:
// 1. on what each value depends; what cannot be done for all steps at once counts as state;
// 2. what leaves: dear nodes, all that they depend on, and pointwise nodes on what leaves;
// 3. these nodes before the loop, their values as further sequences and invariants.
class Hoister {
 public:
  explicit Hoister(Node& loop) : draft_(loop) {}

  std::vector<Value> Process() {
    Classify();
    Choose();
    if (leaves_.empty()) return {};
    for (const auto& n : draft_.body.nodes()) {
      if (leaves_.contains(n.get())) Emit(*n);
    }
    std::vector<Value> results(static_cast<size_t>(draft_.loop.num_results()));
    std::erase_if(draft_.outputs, [&](const LoopDraft::Output& o) {
      if (!leaves_.contains(o.value.node()) || DependsOn(o.value) != Depends::kSequences) {
        return false;
      }
      results[static_cast<size_t>(o.result)] = outside_.at(o.value);
      return true;
    });
    const LoopDraft::Built built = draft_.Build();
    for (size_t i = 0; i < built.carries.size(); ++i) {
      results[static_cast<size_t>(draft_.carries[i].result)] = built.carries[i];
    }
    for (size_t i = 0; i < built.outputs.size(); ++i) {
      results[static_cast<size_t>(draft_.outputs[i].result)] = built.outputs[i];
    }
    return results;
  }

 private:
  Depends DependsOn(Value v) const { return depends_.at(v); }

  std::unique_ptr<bool[]> StackedOperands(const Node& n) const {
    auto stacked = std::make_unique<bool[]>(static_cast<size_t>(n.num_operands()));
    for (int i = 0; i < n.num_operands(); ++i) {
      stacked[static_cast<size_t>(i)] = DependsOn(n.operand(i)) == Depends::kSequences;
    }
    return stacked;
  }

  void Classify() {
    for (const LoopDraft::Carry& c : draft_.carries) depends_[c.old] = Depends::kState;
    for (const LoopDraft::Operand& o : draft_.sequences) {
      depends_[o.stands] = Depends::kSequences;
      outside_[o.stands] = o.value;
    }
    for (const LoopDraft::Operand& o : draft_.invariants) {
      depends_[o.stands] = Depends::kInvariants;
      outside_[o.stands] = o.value;
    }
    for (const auto& n : draft_.body.nodes()) {
      Depends d = n->op().has(ir::kCall) ? Depends::kState : Depends::kInvariants;
      for (const Value v : n->operands()) d = std::max(d, DependsOn(v));
      if (d == Depends::kSequences && !n->op().has(ir::kPointwise)) {
        const auto stacked = StackedOperands(*n);
        const bool can =
            CanDo(n->op().over_steps, *n, {stacked.get(), static_cast<size_t>(n->num_operands())},
                  draft_.options.length);
        if (!can) d = Depends::kState;
      }
      for (int r = 0; r < n->num_results(); ++r) depends_[n->result(r)] = d;
    }
  }

  void Choose() {
    std::vector<const Node*> pending;
    for (const auto& n : draft_.body.nodes()) {
      if (IsDear(*n) && DependsOn(n->result()) != Depends::kState) pending.push_back(n.get());
    }
    Leave(std::move(pending));
    if (leaves_.empty()) return;
    for (const auto& n : draft_.body.nodes()) {
      const Depends d = DependsOn(n->result());
      if (!n->op().has(ir::kPointwise) || d == Depends::kState || leaves_.contains(n.get())) {
        continue;
      }
      // Cheap work on what leaves, with weights or constants: no more is stored than before.
      bool on_left = false, others = true;
      for (const Value v : n->operands()) {
        const bool left = leaves_.contains(v.node());
        on_left = on_left || (left && DependsOn(v) == d);
        others = others && (left || DependsOn(v) == Depends::kInvariants);
      }
      if (on_left && others) Leave({n.get()});
    }
  }

  // With all that they depend on.
  void Leave(std::vector<const Node*> pending) {
    while (!pending.empty()) {
      const Node* n = pending.back();
      pending.pop_back();
      if (n->is_argument() || !leaves_.insert(n).second) continue;
      for (const Value v : n->operands()) pending.push_back(v.node());
    }
  }

  void Emit(const Node& n) {
    ir::Function& f = draft_.loop.function();
    f.set_location_override(n.location());
    std::vector<Value> operands;
    for (const Value v : n.operands()) operands.push_back(outside_.at(v));
    if (DependsOn(Value(const_cast<Node*>(&n), 0)) == Depends::kInvariants) {
      Node* copy = f.Append(n.op(), operands, n.attrs(), n.types(), n.location());
      for (int r = 0; r < n.num_results(); ++r) {
        const Value v(const_cast<Node*>(&n), r);
        outside_[v] = copy->result(r);
        // What every step can make itself is not passed to it.
        if (!n.op().has(ir::kLeaf)) draft_.invariants.push_back({copy->result(r), v});
      }
      return;
    }
    const auto stacked = StackedOperands(n);
    const Value v(const_cast<Node*>(&n), 0);
    outside_[v] = AllSteps(f, n, operands, {stacked.get(), operands.size()}, draft_.options.length);
    draft_.sequences.push_back({outside_[v], v});
  }

  LoopDraft draft_;
  absl::flat_hash_map<Value, Depends> depends_;
  absl::flat_hash_map<Value, Value> outside_;  // what stands for a value of the body
  absl::flat_hash_set<const Node*> leaves_;
};

std::vector<Value> HoistLoop(Node& loop, const std::vector<bool>&) {
  return Hoister(loop).Process();
}

}  // namespace

absl::StatusOr<bool> HoistScan(ir::Module& module, const PassContext&) {
  return RewriteLoops(module, HoistLoop);
}

}  // namespace gradus::passes
