#include "passes/memory/call_order.h"

#include <algorithm>
#include <functional>
#include <queue>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "ir/check.h"
#include "ir/loop/kernel.h"
#include "passes/memory/calls.h"
#include "passes/memory/workspace.h"

namespace gradus::passes {
namespace {

using ir::Function;
using ir::Node;
using ir::Value;

class Orderer {
 public:
  Orderer(const Function& function, const ir::Module& module, std::span<const int> memory,
          const loop::SizeOf& sizes)
      : function_(function),
        module_(module),
        memory_(memory),
        sizes_(sizes),
        count_(static_cast<int>(function.nodes().size())) {
    position_.assign(static_cast<size_t>(function.id_bound()), -1);
    for (int i = 0; i < count_; ++i) {
      position_[static_cast<size_t>(function.nodes()[static_cast<size_t>(i)]->id())] = i;
    }
    after_.resize(static_cast<size_t>(count_));
    for (int i = 0; i < count_; ++i) {
      for (const Value v : node(i).operands()) {
        const int from = position_[static_cast<size_t>(v.node()->id())];
        if (from >= 0) after_[static_cast<size_t>(from)].push_back(i);
        const int argument = function.ArgumentIndex(v);
        if (argument >= 0) readers_of(argument).push_back(i);
      }
    }
  }

  CallOrder Process(CallPriority priority) {
    CallOrder out;
    for (size_t i = 0; i < memory_.size(); ++i) out.in_place.push_back(TryInPlace(i));
    out.order = priority == CallPriority::kGivenOrder ? Sorted() : SortedByGrowth(priority);
    return out;
  }

 private:
  const Node& node(int i) const { return *function_.nodes()[static_cast<size_t>(i)]; }

  std::vector<int>& readers_of(int argument) {
    if (readers_.size() <= static_cast<size_t>(argument)) {
      readers_.resize(static_cast<size_t>(function_.num_args()));
    }
    return readers_[static_cast<size_t>(argument)];
  }

  bool TryInPlace(size_t result) {
    const int memory = memory_[result];
    if (memory < 0) return false;
    const Value value = function_.results()[result].value;
    const int writer = position_[static_cast<size_t>(value.node()->id())];
    if (writer < 0) return false;  // an argument: a copy, if it is another
    if (!IsKernelCall(module_, node(writer))) return false;  // a loop
    // A second result in another argument of the same value, or the old value asked for as a
    // result: a copy.
    for (size_t other = 0; other < result; ++other) {
      if (function_.results()[other].value == value && memory_[other] >= 0) return false;
    }
    const loop::Kernel& kernel = *CalleeOf(module_, node(writer)).kernel;
    const Value argument = function_.arg(memory);
    for (int k = 0; k < node(writer).num_operands(); ++k) {
      if (node(writer).operand(k) == argument && !InPlaceSafe(kernel, k, value.result()))
        return false;
    }
    const std::vector<int> readers = readers_of(memory);
    const std::vector<bool> reachable = ReachableFrom(writer);
    for (const int reader : readers) {
      if (reader != writer && reachable[static_cast<size_t>(reader)]) return false;
    }
    for (const int reader : readers) {
      if (reader != writer) after_[static_cast<size_t>(reader)].push_back(writer);
    }
    return true;
  }

  std::vector<bool> ReachableFrom(int start) const {
    std::vector<bool> seen(static_cast<size_t>(count_), false);
    std::vector<int> stack = {start};
    while (!stack.empty()) {
      const int i = stack.back();
      stack.pop_back();
      for (const int next : after_[static_cast<size_t>(i)]) {
        if (seen[static_cast<size_t>(next)]) continue;
        seen[static_cast<size_t>(next)] = true;
        stack.push_back(next);
      }
    }
    return seen;
  }

  // Topological, the earliest of the original order first: deterministic, and close to what was
  // printed.
  std::vector<int> Sorted() const {
    std::vector<int> waiting = Waiting();
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (int i = 0; i < count_; ++i) {
      if (waiting[static_cast<size_t>(i)] == 0) ready.push(i);
    }
    std::vector<int> order;
    while (!ready.empty()) {
      const int i = ready.top();
      ready.pop();
      order.push_back(i);
      for (const int next : after_[static_cast<size_t>(i)]) {
        if (--waiting[static_cast<size_t>(next)] == 0) ready.push(next);
      }
    }
    IR_CHECK(static_cast<int>(order.size()) == count_);
    return order;
  }

  // Bytes that a node's results need, less those of the values that it is the last to read.
  class Growth {
   public:
    Growth(const Orderer& orderer) : o_(orderer) {
      for (int i = 0; i < o_.count_; ++i) {
        for (const Value v : DistinctOperands(i)) ++readers_left_[v];
      }
      for (const ir::Result& r : o_.function_.results()) kept_.insert(r.value);
    }
    int64_t Of(int i) const {
      int64_t bytes = 0;
      const Node& n = o_.node(i);
      for (int r = 0; r < n.num_results(); ++r) bytes += BytesIfOwned(ValueOf(n, r));
      for (const Value v : DistinctOperands(i)) {
        if (readers_left_.at(v) == 1) bytes -= BytesIfOwned(v);
      }
      return bytes;
    }
    void Run(int i) {
      for (const Value v : DistinctOperands(i)) --readers_left_[v];
    }

   private:
    static Value ValueOf(const Node& n, int r) { return Value(const_cast<Node*>(&n), r); }
    absl::InlinedVector<Value, 4> DistinctOperands(int i) const {
      absl::InlinedVector<Value, 4> list;
      for (const Value v : o_.node(i).operands()) {
        if (std::ranges::find(list, v) == list.end()) list.push_back(v);
      }
      return list;
    }
    // Arguments and results have memory elsewhere.
    int64_t BytesIfOwned(Value v) const {
      if (v.node()->is_argument() || kept_.contains(v)) return 0;
      return ValueAt(BytesOf(v.type()), o_.sizes_);
    }

    const Orderer& o_;
    absl::flat_hash_map<Value, int> readers_left_;
    absl::flat_hash_set<Value> kept_;
  };

  std::vector<int> SortedByGrowth(CallPriority priority) const {
    std::vector<int> waiting = Waiting();
    Growth growth(*this);
    std::vector<int> ready;  // sorted
    for (int i = 0; i < count_; ++i) {
      if (waiting[static_cast<size_t>(i)] == 0) ready.push_back(i);
    }
    std::vector<int> order;
    while (!ready.empty()) {
      auto chosen = ready.begin();
      int64_t least = growth.Of(*chosen);
      for (auto at = ready.begin(); at != ready.end(); ++at) {
        const int64_t grows = growth.Of(*at);
        if (priority == CallPriority::kFreesFirst ? least <= 0 || grows > 0 : grows >= least)
          continue;
        chosen = at;
        least = grows;
      }
      const int i = *chosen;
      ready.erase(chosen);
      order.push_back(i);
      growth.Run(i);
      for (const int next : after_[static_cast<size_t>(i)]) {
        if (--waiting[static_cast<size_t>(next)] == 0) {
          ready.insert(std::ranges::upper_bound(ready, next), next);
        }
      }
    }
    IR_CHECK(static_cast<int>(order.size()) == count_);
    return order;
  }

  // How many nodes have to run before each.
  std::vector<int> Waiting() const {
    std::vector<int> waiting(static_cast<size_t>(count_), 0);
    for (const auto& list : after_) {
      for (const int i : list) ++waiting[static_cast<size_t>(i)];
    }
    return waiting;
  }

  const Function& function_;
  const ir::Module& module_;
  std::span<const int> memory_;  // by result: the argument that it may overwrite, or -1
  const loop::SizeOf& sizes_;
  int count_;
  std::vector<int> position_;              // of a node, by id; -1 for arguments
  std::vector<std::vector<int>> after_;    // what must run later, by position
  std::vector<std::vector<int>> readers_;  // by argument
};

}  // namespace

CallOrder OrderCalls(const Function& function, const ir::Module& module,
                     std::span<const int> memory, CallPriority priority,
                     const loop::SizeOf& sizes) {
  return Orderer(function, module, memory, sizes).Process(priority);
}

}  // namespace gradus::passes
