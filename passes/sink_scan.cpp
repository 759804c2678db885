#include "passes/sink_scan.h"

#include <algorithm>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "ir/ops/building.h"
#include "ir/ops/elementwise.h"
#include "passes/loops/loop_draft.h"
#include "passes/loops/over_steps.h"

namespace gradus::passes {
namespace {

using ir::Node;
using ir::Value;

// What is done after the loop instead of in it.
struct Sunk {
  const Node* step = nullptr;
  ir::OverStepsRule rule = nullptr;
  Value initial;   // added to the sum over the steps; none: a stacked output
  int result = 0;  // of the loop, that it gives
};

class Sinker {
 public:
  explicit Sinker(Node& loop) : draft_(loop) {}

  std::vector<Value> Process() {
    CountUses();
    for (const LoopDraft::Carry& c : draft_.carries) FindSum(c);
    for (const LoopDraft::Output& o : draft_.outputs) FindProduct(o);
    if (sunk_.empty()) return {};
    const auto is_sunk = [&](int result) {
      return std::any_of(sunk_.begin(), sunk_.end(),
                         [&](const Sunk& s) { return s.result == result; });
    };
    std::erase_if(draft_.carries, [&](const auto& c) { return is_sunk(c.result); });
    std::erase_if(draft_.outputs, [&](const auto& o) { return is_sunk(o.result); });
    for (const Sunk& s : sunk_) {
      for (const Value v : s.step->operands()) {
        if (Outside(v) == Value()) draft_.OutputOf(v);
      }
    }
    const LoopDraft::Built built = draft_.Build();
    std::vector<Value> results(static_cast<size_t>(draft_.loop.num_results()));
    for (size_t i = 0; i < built.carries.size(); ++i) {
      results[static_cast<size_t>(draft_.carries[i].result)] = built.carries[i];
    }
    for (size_t i = 0; i < built.outputs.size(); ++i) {
      const int result = draft_.outputs[i].result;
      if (result >= 0) results[static_cast<size_t>(result)] = built.outputs[i];
    }
    for (const Sunk& s : sunk_) results[static_cast<size_t>(s.result)] = Emit(s, built);
    return results;
  }

 private:
  void CountUses() {
    for (const auto& n : draft_.body.nodes()) {
      for (const Value v : n->operands()) ++uses_[v];
    }
    for (const ir::Result& r : draft_.body.results()) ++uses_[r.value];
  }
  bool UsedOnce(Value v) const {
    const auto at = uses_.find(v);
    return at != uses_.end() && at->second == 1;
  }

  // Of the function, if every step sees a part of it or all of it.
  Value Outside(Value v) const {
    for (const auto* list : {&draft_.sequences, &draft_.invariants}) {
      for (const LoopDraft::Operand& o : *list) {
        if (o.stands == v) return o.value;
      }
    }
    return {};
  }
  bool IsInvariant(Value v) const {
    return std::any_of(draft_.invariants.begin(), draft_.invariants.end(),
                       [&](const LoopDraft::Operand& o) { return o.stands == v; });
  }
  std::unique_ptr<bool[]> StackedOperands(const Node& n) const {
    auto stacked = std::make_unique<bool[]>(static_cast<size_t>(n.num_operands()));
    for (int i = 0; i < n.num_operands(); ++i) {
      stacked[static_cast<size_t>(i)] = !IsInvariant(n.operand(i));
    }
    return stacked;
  }
  bool Can(ir::OverStepsRule rule, const Node& n) const {
    const auto stacked = StackedOperands(n);
    return CanDo(rule, n, {stacked.get(), static_cast<size_t>(n.num_operands())},
                 draft_.options.length);
  }

  void FindSum(const LoopDraft::Carry& c) {
    const Node& add = *c.next.node();
    if (!add.op().has(ir::kSum) || !UsedOnce(c.old) || !UsedOnce(c.next)) return;
    const bool first = add.operand(0) == c.old;
    if (!first && !(add.operand(1) == c.old)) return;
    const Value term = add.operand(first ? 1 : 0);
    if (term.node()->is_argument() || !UsedOnce(term)) return;
    const ir::OverStepsRule rule = term.node()->op().sum_over_steps;
    if (Can(rule, *term.node())) sunk_.push_back({term.node(), rule, c.initial, c.result});
  }

  void FindProduct(const LoopDraft::Output& o) {
    const Node& n = *o.value.node();
    if (!n.op().has(ir::kContraction) || !UsedOnce(o.value)) return;
    if (Can(n.op().over_steps, n)) sunk_.push_back({&n, n.op().over_steps, {}, o.result});
  }

  Value Emit(const Sunk& s, const LoopDraft::Built& built) {
    std::vector<Value> operands;
    for (const Value v : s.step->operands()) {
      const Value outside = Outside(v);
      operands.push_back(outside ? outside
                                 : built.outputs[static_cast<size_t>(draft_.OutputOf(v))]);
    }
    const auto stacked = StackedOperands(*s.step);
    ir::Function& f = draft_.loop.function();
    f.set_location_override(s.step->location());
    Value v = s.rule({s.step, operands, {stacked.get(), operands.size()}});
    if (s.initial && !ir::IsSplat(s.initial, 0)) v = ir::add(s.initial, v);
    return v;
  }

  LoopDraft draft_;
  absl::flat_hash_map<Value, int> uses_;
  std::vector<Sunk> sunk_;
};

std::vector<Value> SinkLoop(Node& loop, const std::vector<bool>&) { return Sinker(loop).Process(); }

}  // namespace

absl::StatusOr<bool> SinkScan(ir::Module& module, const PassContext&) {
  return RewriteLoops(module, SinkLoop);
}

}  // namespace gradus::passes
