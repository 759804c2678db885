#include "passes/loop_gradient.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"
#include "ir/module.h"
#include "ir/op_def.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"
#include "ir/ops/scan.h"
#include "passes/autodiff.h"

namespace gradus::passes {
namespace {

using ir::Function;
using ir::Node;
using ir::Value;

bool IsFloat(Value v) { return ir::IsFloat(v.dtype()); }

// Computing it again costs less than storing and loading it.
bool IsCheap(const Node& n) {
  const ir::OpDef& op = n.op();
  if (op.has(ir::kLeaf) || op.has(ir::kTypeOnly) || op.has(ir::kMovement)) return true;
  return op.has(ir::kPointwise) && !op.has(ir::kTranscendental);
}

// Copies nodes and arguments of a function to another one.
class Copier {
 public:
  explicit Copier(Function& to) : to_(to) {}

  // An argument that stands for none of the values copied.
  Value Argument(const std::string& stem, const ir::Type& type, const ir::Location& location = {}) {
    std::string name = stem;
    for (int n = 1; !names_.insert(name).second; ++n) name = fmt::format("{}_{}", stem, n);
    return to_.AddArgument(name, type, location);
  }
  void Argument(Value v, const std::string& stem) {
    map_[v] = Argument(stem, v.type(), v.node()->location());
  }
  Value Of(Value v) const { return map_.at(v); }
  void Copy(const Node& n) {
    std::vector<Value> operands;
    for (const Value v : n.operands()) {
      // Who looks at the type alone gets a stand-in: the value may be nowhere here.
      operands.push_back(n.op().has(ir::kTypeOnly) ? StandIn(v.type()) : Of(v));
    }
    Node* copy = to_.Append(n.op(), operands, n.attrs(), n.types(), n.location());
    for (int r = 0; r < n.num_results(); ++r) {
      map_[Value(const_cast<Node*>(&n), r)] = copy->result(r);
    }
  }

 private:
  Value StandIn(const ir::Type& type) {
    return ir::IsFloat(type.dtype) ? ir::constant(to_, type, 0) : ir::constant_int(to_, type, 0);
  }
  Function& to_;
  absl::flat_hash_map<Value, Value> map_;
  absl::flat_hash_set<std::string> names_;
};

// Steps:
// 1. a draft: the body with its gradient behind it;
// 2. which of the body's values the gradient needs, and how it comes by each;
// 3. the forward loop's new body: the draft's first part, with what is saved as further results;
// 4. the backward loop's body: the draft's second part;
// 5. the backward loop.
class Gradient {
 public:
  Gradient(Node& loop, std::span<const Value> arrived, const std::vector<bool>& wanted)
      : loop_(loop),
        function_(loop.function()),
        module_(*loop.function().module()),
        scan_(loop),
        arrived_(arrived),
        wanted_(wanted),
        name_(scan_.body().name()) {}

  absl::StatusOr<std::vector<Value>> Process() {
    draft_ = &module_.AddFunction(module_.UniqueName(name_ + ".draft"), ir::FunctionKind::kBody);
    absl::Status status = Draft();
    if (status.ok()) {
      Classify();
      SaveForward();
      BuildBackward();
    }
    module_.EraseFunction(draft_);
    if (!status.ok()) return status;
    return EmitBackward();
  }

 private:
  absl::Status Draft() {
    const Function& body = scan_.body();
    for (int i = 0; i < body.num_args(); ++i) {
      const Node& a = *body.arg(i).node();
      arguments_.push_back(draft_->AddArgument(a.name(), a.type(), a.location()));
    }
    results_ = InlineInto(*draft_, body, arguments_);
    num_forward_ = draft_->nodes().size();
    std::vector<Value> differentiated;
    seeds_.resize(results_.size());
    for (size_t r = 0; r < results_.size(); ++r) {
      const bool carry = static_cast<int>(r) < scan_.carries();
      const bool has = carry ? IsFloat(results_[r]) : r < arrived_.size() && arrived_[r];
      if (!has) continue;
      seeds_[r] = draft_->AddArgument(fmt::format("seed{}", r), results_[r].type());
      differentiated.push_back(results_[r]);
      seed_list_.push_back(seeds_[r]);
    }
    std::vector<Value> wanted;
    std::vector<int> position;
    for (int i = 0; i < static_cast<int>(arguments_.size()); ++i) {
      const Value v = arguments_[static_cast<size_t>(i)];
      if (!IsFloat(v) || !(i < scan_.carries() || wanted_[static_cast<size_t>(i)])) continue;
      wanted.push_back(v);
      position.push_back(i);
    }
    absl::StatusOr<std::vector<Value>> gradients =
        VectorGradients(differentiated, seed_list_, wanted);
    if (!gradients.ok()) return gradients.status();
    gradients_.resize(arguments_.size());
    for (size_t k = 0; k < wanted.size(); ++k) {
      gradients_[static_cast<size_t>(position[k])] = (*gradients)[k];
    }
    return draft_->error() ? draft_->error()->ToStatus() : absl::OkStatus();
  }

  bool IsForward(Value v) const {
    return v.node()->is_argument() ? draft_->ArgumentIndex(v) < scan_.body().num_args()
                                   : forward_.contains(v.node());
  }
  bool IsCarry(Value v) const {
    const int argument = draft_->ArgumentIndex(v);
    return argument >= 0 && argument < scan_.carries();
  }

  void Classify() {
    const auto& nodes = draft_->nodes();
    for (size_t i = 0; i < num_forward_; ++i) forward_.insert(nodes[i].get());
    FindBackward();
    // What the gradient reads of the first part: what is not cheap is saved; what is cheap is
    // computed again if everything that it is made of is at hand.
    absl::flat_hash_set<Value> needed;
    for (const Node* n : backward_) {
      for (const Value v : n->operands()) {
        if (IsForward(v)) needed.insert(v);
      }
    }
    for (const Value v : gradients_) {
      if (v && IsForward(v)) needed.insert(v);
    }
    for (const Value v : arguments_) {
      if (needed.contains(v) && IsCarry(v)) saved_.push_back(v);
    }
    std::vector<Value> cheap;
    for (size_t i = 0; i < num_forward_; ++i) {
      for (int r = 0; r < nodes[i]->num_results(); ++r) {
        const Value v = nodes[i]->result(r);
        if (!needed.contains(v)) continue;
        (IsCheap(*nodes[i]) ? cheap : saved_).push_back(v);
      }
    }
    is_saved_.insert(saved_.begin(), saved_.end());
    for (const Value v : cheap) {
      if (IsAtHand(v)) continue;
      saved_.push_back(v);
      is_saved_.insert(v);
    }
    for (const Value v : cheap) {
      if (!is_saved_.contains(v)) ComputeAgain(v);
    }
  }

  // Nodes of the gradient that its results depend on.
  void FindBackward() {
    absl::flat_hash_set<const Node*> live;
    for (const Value v : gradients_) {
      if (v) live.insert(v.node());
    }
    const auto& nodes = draft_->nodes();
    for (size_t i = nodes.size(); i-- > num_forward_;) {
      if (!live.contains(nodes[i].get())) continue;
      backward_.push_back(nodes[i].get());
      for (const Value v : nodes[i]->operands()) live.insert(v.node());
    }
    std::reverse(backward_.begin(), backward_.end());
  }

  // The cheap nodes from which v follows, v's own among them, as far as they are not saved. Longer
  // chains than this are not worth it: empty then.
  static constexpr size_t kChain = 8;

  bool IsAtHand(Value v) const {
    std::vector<Value> pending = {v};
    absl::flat_hash_set<const Node*> seen;
    while (!pending.empty()) {
      const Value at = pending.back();
      pending.pop_back();
      if (is_saved_.contains(at)) continue;
      if (at.node()->is_argument()) {
        if (IsCarry(at)) return false;
        continue;
      }
      if (!IsCheap(*at.node())) return false;
      if (!seen.insert(at.node()).second) continue;
      if (seen.size() > kChain) return false;
      if (at.node()->op().has(ir::kTypeOnly)) continue;
      for (const Value o : at.node()->operands()) pending.push_back(o);
    }
    return true;
  }

  void ComputeAgain(Value v) {
    std::vector<Value> pending = {v};
    while (!pending.empty()) {
      const Value at = pending.back();
      pending.pop_back();
      if (is_saved_.contains(at) || at.node()->is_argument()) continue;
      if (!again_.insert(at.node()).second || at.node()->op().has(ir::kTypeOnly)) continue;
      for (const Value o : at.node()->operands()) pending.push_back(o);
    }
  }

  void SaveForward() {
    Function& to =
        module_.AddFunction(module_.UniqueName(name_ + ".saving"), ir::FunctionKind::kBody);
    Copier copier(to);
    for (const Value v : arguments_) copier.Argument(v, v.node()->name());
    for (size_t i = 0; i < num_forward_; ++i) copier.Copy(*draft_->nodes()[i]);
    for (size_t r = 0; r < results_.size(); ++r) {
      to.AddResult(copier.Of(results_[r]), scan_.body().results()[r].name);
    }
    std::vector<ir::Type> types;
    for (const Value v : saved_) {
      const auto known = std::find(results_.begin() + scan_.carries(), results_.end(), v);
      if (known != results_.end()) {
        saved_results_.push_back(static_cast<int>(known - results_.begin()));
        continue;
      }
      saved_results_.push_back(static_cast<int>(to.results().size()));
      to.AddResult(copier.Of(v));
      types.push_back(Stacked(scan_.length(), v.type()));
    }
    forward_body_ = &to;
    saved_types_ = std::move(types);
  }

  // Whether the backward body reads argument i of the forward one.
  bool IsRead(Value v) const {
    const auto reads = [&](const Node* n) {
      const auto operands = n->operands();
      return std::find(operands.begin(), operands.end(), v) != operands.end();
    };
    return std::any_of(backward_.begin(), backward_.end(), reads) ||
           std::any_of(again_.begin(), again_.end(), reads) ||
           std::find(gradients_.begin(), gradients_.end(), v) != gradients_.end();
  }

  void BuildBackward() {
    Function& to =
        module_.AddFunction(module_.UniqueName(name_ + ".backward"), ir::FunctionKind::kBody);
    Copier copier(to);
    const int carries = scan_.carries(), sequences = scan_.sequences();
    const auto argument = [&](int i) { return arguments_[static_cast<size_t>(i)]; };
    const auto gradient = [&](int i) { return gradients_[static_cast<size_t>(i)]; };
    for (int i = 0; i < carries; ++i) {
      const Value seed = seeds_[static_cast<size_t>(i)];
      if (seed) copier.Argument(seed, "d_" + argument(i).node()->name());
    }
    std::vector<std::pair<int, Value>> sums;
    for (int i = carries + sequences; i < static_cast<int>(arguments_.size()); ++i) {
      if (!gradient(i)) continue;
      sums.emplace_back(i,
                        copier.Argument("sum_" + argument(i).node()->name(), argument(i).type()));
    }
    for (size_t r = static_cast<size_t>(carries); r < seeds_.size(); ++r) {
      if (seeds_[r])
        copier.Argument(seeds_[r], fmt::format("d_output{}", r - static_cast<size_t>(carries)));
    }
    for (int i = carries; i < carries + sequences; ++i) {
      if (!IsRead(argument(i))) continue;
      read_sequences_.push_back(i);
      copier.Argument(argument(i), argument(i).node()->name());
    }
    for (const Value v : saved_) {
      copier.Argument(v, v.node()->is_argument() ? v.node()->name() + "_before"
                                                 : std::string(v.node()->op().name));
    }
    for (int i = carries + sequences; i < static_cast<int>(arguments_.size()); ++i) {
      if (!IsRead(argument(i))) continue;
      read_invariants_.push_back(i);
      copier.Argument(argument(i), argument(i).node()->name());
    }
    for (size_t i = 0; i < num_forward_; ++i) {
      const Node& n = *draft_->nodes()[i];
      if (!again_.contains(&n)) continue;
      copier.Copy(n);
    }
    for (const Node* n : backward_) copier.Copy(*n);
    const auto value = [&](int i) {
      return gradient(i) ? copier.Of(gradient(i)) : ir::constant(to, argument(i).type(), 0);
    };
    for (int i = 0; i < carries; ++i) {
      if (seeds_[static_cast<size_t>(i)]) to.AddResult(value(i));
    }
    for (const auto& [i, sum] : sums) {
      summed_.push_back(i);
      to.set_location_override(gradient(i).node()->location());
      to.AddResult(ir::add(sum, copier.Of(gradient(i))));
      to.set_location_override(std::nullopt);
    }
    for (int i = carries; i < carries + sequences; ++i) {
      if (!gradient(i)) continue;
      stacked_.push_back(i);
      to.AddResult(copier.Of(gradient(i)));
    }
    backward_body_ = &to;
  }

  absl::StatusOr<std::vector<Value>> EmitBackward() {
    const ir::ScanOptions options{.length = scan_.length(), .reverse = !scan_.reverse()};
    loop_.set_attr("callee", ir::FunctionRef{forward_body_->name()});
    function_.ExtendResults(loop_, saved_types_);
    std::vector<Value> carries, sequences, invariants;
    std::vector<int> carried;  // operands that the carries are gradients of
    for (int i = 0; i < scan_.carries(); ++i) {
      const auto at = static_cast<size_t>(i);
      if (!seeds_[at]) continue;
      const bool has = at < arrived_.size() && arrived_[at];
      carries.push_back(has ? arrived_[at] : ir::zeros_like(loop_.operand(i)));
      carried.push_back(i);
    }
    for (const int i : summed_) {
      carries.push_back(ir::zeros_like(loop_.operand(i)));
      carried.push_back(i);
    }
    for (size_t r = static_cast<size_t>(scan_.carries()); r < seeds_.size(); ++r) {
      if (seeds_[r]) sequences.push_back(arrived_[r]);
    }
    for (const int i : read_sequences_) sequences.push_back(loop_.operand(i));
    for (const int r : saved_results_) sequences.push_back(loop_.result(r));
    for (const int i : read_invariants_) invariants.push_back(loop_.operand(i));
    Node* node = ir::scan(function_, *backward_body_, carries, sequences, invariants, options,
                          loop_.location());
    if (node == nullptr) return function_.error()->ToStatus();
    std::vector<Value> out(static_cast<size_t>(loop_.num_operands()));
    int next = 0;
    for (const int i : carried) out[static_cast<size_t>(i)] = node->result(next++);
    for (const int i : stacked_) out[static_cast<size_t>(i)] = node->result(next++);
    return out;
  }

  Node& loop_;
  Function& function_;
  ir::Module& module_;
  const ir::ScanView scan_;
  std::span<const Value> arrived_;
  const std::vector<bool>& wanted_;
  std::string name_;

  Function* draft_ = nullptr;
  size_t num_forward_ = 0;                  // nodes of the draft that are the body's
  std::vector<Value> arguments_, results_;  // of the body, in the draft
  std::vector<Value> seeds_, seed_list_;    // by result (no value: none), and those that are
  std::vector<Value> gradients_;            // by argument; no value: none
  absl::flat_hash_set<const Node*> forward_;
  std::vector<const Node*> backward_;  // in order
  std::vector<Value> saved_;
  absl::flat_hash_set<Value> is_saved_;
  absl::flat_hash_set<const Node*> again_;

  Function* forward_body_ = nullptr;
  Function* backward_body_ = nullptr;
  std::vector<int> saved_results_;  // of the loop, by saved value
  std::vector<ir::Type> saved_types_;
  std::vector<int> read_sequences_, read_invariants_;  // operands that the backward body reads
  std::vector<int> summed_, stacked_;  // operands whose gradients are sums, stacked outputs
};

}  // namespace

absl::StatusOr<std::vector<Value>> LoopGradient(Node& loop, std::span<const Value> arrived,
                                                const std::vector<bool>& wanted) {
  return Gradient(loop, arrived, wanted).Process();
}

}  // namespace gradus::passes
