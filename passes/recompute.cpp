#include "passes/recompute.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "ir/loop/entry_plan.h"
#include "ir/loop/plan.h"
#include "ir/loop/walk.h"
#include "passes/memory/calls.h"
#include "passes/memory/entry_planner.h"

namespace gradus::passes {
namespace {

using ir::Function;
using ir::Node;
using ir::Value;

// A kernel that costs next to nothing: no sum, at most so many operations an element, and no more
// bytes read than written. It takes the place of a load of its result.
constexpr int kCheapOperations = 16;
// What is computed again without being asked for has to make the workspace smaller by a part of it.
constexpr double kWorthwhile = 0.97;
// Attempts, each of which plans the entry.
constexpr int kCheapAttempts = 24;
constexpr int kForcedAttempts = 400;

bool IsCheap(const loop::Kernel& kernel, const loop::Plan& plan, const loop::SizeOf& sizes) {
  for (const loop::Step& step : plan.steps) {
    if (!std::holds_alternative<loop::Nest>(step)) return false;
  }
  int operations = 0;
  bool has_sum = false;
  for (const loop::Store& store : kernel.stores) {
    loop::ForEachReached(store.value, [&](const loop::Scalar* s) {
      has_sum |= s->kind == loop::ScalarKind::kReduce || s->kind == loop::ScalarKind::kGather;
      operations += s->operands.empty() ? 0 : 1;
    });
  }
  if (has_sum || operations > kCheapOperations) return false;
  int64_t read = 0, written = 0;
  for (const loop::Buffer& b : kernel.buffers) {
    (b.kind == loop::Buffer::Kind::kInput ? read : written) += ValueAt(BytesOf(b.type), sizes);
  }
  return read <= written;
}

class EntryRecomputer {
 public:
  EntryRecomputer(Function& function, const ir::Module& module, const PassContext& context)
      : function_(function), module_(module), context_(context) {}

  // Steps:
  // 1. of the values that live when the memory is fullest, and are read again later, the largest
  // first: another call of what made it, before the first of these readers;
  // 2. if the entry then needs less memory, it stays; else the next is tried;
  // 3. until nothing helps, or it is small enough.
  absl::StatusOr<bool> Process() {
    absl::StatusOr<PlannedEntry> planned = Plan(false);
    if (!planned.ok()) return planned.status();
    bool changed = false;
    for (const bool forced : {false, true}) {
      int attempts = forced ? kForcedAttempts : kCheapAttempts;
      bool again = true;
      while (again && attempts > 0) {
        if (forced) {
          const absl::StatusOr<bool> fits = Fits(*planned);
          if (!fits.ok()) return fits.status();
          if (*fits) break;
        }
        again = false;
        for (const Node* n : Candidates(*planned, forced)) {
          if (attempts-- <= 0) break;
          absl::StatusOr<bool> better = Try(*n, *planned, forced);
          if (!better.ok()) return better.status();
          if (!*better) continue;
          changed = again = true;
          break;
        }
      }
    }
    return changed;
  }

 private:
  absl::StatusOr<PlannedEntry> Plan(bool layout) const {
    return PlanEntry(function_, module_, context_, layout);
  }

  // The limit holds, if there is one.
  absl::StatusOr<bool> Fits(const PlannedEntry& planned) const {
    if (context_.max_arena == 0) return true;
    if (planned.live > context_.max_arena) return false;
    const absl::StatusOr<PlannedEntry> with_layout = Plan(true);
    if (!with_layout.ok()) return with_layout.status();
    return with_layout->bytes <= context_.max_arena;
  }

  int64_t SizeOf(ir::Symbol s) const { return std::max<int64_t>(context_.SizeOf(s.name()), 1); }

  std::vector<const Node*> Candidates(const PlannedEntry& planned, bool forced) const {
    std::vector<const Living*> living;
    for (const Living& l : planned.living) {
      if (l.producer == nullptr || l.block.begin >= planned.peak || l.block.end <= planned.peak)
        continue;
      if (&l.producer->function() != &function_ || !IsKernelCall(module_, *l.producer)) continue;
      living.push_back(&l);
    }
    std::ranges::stable_sort(living, std::ranges::greater(),
                             [](const Living* l) { return l->block.bytes; });
    std::vector<const Node*> nodes;
    for (const Living* l : living) {
      const Function& kernel = CalleeOf(module_, *l->producer);
      if (std::ranges::find(nodes, l->producer) != nodes.end() || again_.contains(l->producer) ||
          (!forced &&
           !IsCheap(*kernel.kernel, *kernel.plan, [&](ir::Symbol s) { return SizeOf(s); }))) {
        continue;
      }
      nodes.push_back(l->producer);
    }
    return nodes;
  }

  struct Use {
    Node* reader = nullptr;
    int operand = 0;
  };

  // The uses of a node's results after the peak; none if one of them is a result of the entry.
  std::vector<Use> LateUses(const Node& n, const PlannedEntry& planned) const {
    std::vector<Use> uses;
    for (const auto& reader : function_.nodes()) {
      const auto steps = planned.node_steps.find(reader.get());
      if (steps == planned.node_steps.end() || steps->second.first <= planned.peak) continue;
      for (int k = 0; k < reader->num_operands(); ++k) {
        if (reader->operand(k).node() == &n) uses.push_back({reader.get(), k});
      }
    }
    for (const ir::Result& r : function_.results()) {
      if (r.value.node() == &n) uses.clear();
    }
    return uses;
  }

  // Calls what `n` calls once more, if that makes the plan better, which is then in `planned`.
  absl::StatusOr<bool> Try(const Node& n, PlannedEntry& planned, bool forced) {
    const std::vector<Use> uses = LateUses(n, planned);
    if (uses.empty()) return false;
    Node* copy = function_.Append(n.op(), n.operands(), n.attrs(), n.types(), n.location());
    MoveBeforeFirst(uses);
    for (const Use& u : uses) {
      u.reader->set_operand(u.operand, copy->result(u.reader->operand(u.operand).result()));
    }
    absl::StatusOr<PlannedEntry> with = Plan(false);
    if (!with.ok()) return with.status();
    const bool is_smaller = static_cast<double>(with->live) <
                            static_cast<double>(planned.live) * (forced ? 1 : kWorthwhile);
    if (is_smaller && with->copied <= planned.copied) {
      again_.insert(copy);
      planned = *std::move(with);
      return true;
    }
    for (const Use& u : uses) {
      u.reader->set_operand(u.operand,
                            Value(const_cast<Node*>(&n), u.reader->operand(u.operand).result()));
    }
    std::vector<bool> dead(static_cast<size_t>(function_.id_bound()), false);
    dead[static_cast<size_t>(copy->id())] = true;
    function_.Erase(dead);
    return false;
  }

  // Moves the last node of the function before the first reader.
  void MoveBeforeFirst(const std::vector<Use>& uses) {
    const int last = static_cast<int>(function_.nodes().size()) - 1;
    std::vector<int> order;
    bool placed = false;
    for (int i = 0; i < last; ++i) {
      const Node* node = function_.nodes()[static_cast<size_t>(i)].get();
      if (!placed && std::ranges::any_of(uses, [&](const Use& u) { return u.reader == node; })) {
        order.push_back(last);
        placed = true;
      }
      order.push_back(i);
    }
    function_.Reorder(std::move(order));
  }

  Function& function_;
  const ir::Module& module_;
  const PassContext& context_;
  absl::flat_hash_set<const Node*> again_;  // calls that are repetitions
};

}  // namespace

absl::StatusOr<bool> Recompute(ir::Module& module, const PassContext& context) {
  bool changed = false;
  for (const auto& f : module.functions()) {
    if (f->kind() != ir::FunctionKind::kGraph || !IsLowered(module, *f)) continue;
    absl::StatusOr<bool> done = EntryRecomputer(*f, module, context).Process();
    if (!done.ok()) return done;
    changed |= *done;
  }
  return changed;
}

}  // namespace gradus::passes
