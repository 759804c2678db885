#include "passes/kernels/grouping.h"

#include <algorithm>
#include <optional>
#include <ranges>

#include "absl/container/flat_hash_set.h"
#include "ir/op_def.h"
#include "passes/kernels/access.h"
#include "passes/kernels/group_graph.h"
#include "passes/kernels/left_to_readers.h"
#include "passes/kernels/repeatable.h"

namespace gradus::passes {
namespace {

using ir::Function;
using ir::Node;
using ir::Value;

// Bounds on one kernel, so that lowering recurses little and the blocks of generated code stay
// short.
constexpr int kWeightLimit = 96;
constexpr int kTranscendentalWeight = 8;
constexpr size_t kInputLimit = 20;
// How often a value may be evaluated at different indices in one kernel.
constexpr int kRepeatLimit = 12;
// Operations of what is computed again from stored values rather than stored for a sum to read.
constexpr int kFromStored = 6;
// What a costly value counts for: beside itself at another index it is over the limit.
constexpr int kCostlyRepeats = kRepeatLimit / 2 + 1;

// What computing a value within its kernel, without storing it, means.
struct Inline {
  bool contraction = false;  // a contraction's sum is part of the expression, at this very index
  std::vector<uint32_t>
      reductions;   // for each reduction in it: the axes of the value that it depends on
  int repeats = 1;  // at how many indices parts of it are evaluated
  int stage = 0;    // how many stores in this kernel must be complete before
};

// A reduction is computed once, not over and over, if the axes that it depends on are the outermost
// loops.
bool IsPrefix(uint32_t axes) { return (axes & (axes + 1)) == 0; }
uint32_t AllAxes(int rank) { return rank >= 32 ? ~uint32_t{0} : (uint32_t{1} << rank) - 1; }

struct Group {
  std::vector<const Node*> nodes;
  std::vector<Value> inputs;
  bool has_contraction = false;
  absl::flat_hash_set<int> contracted_arguments;  // that the contraction reads
  int weight = 0;
};

// One sweep over the nodes. Steps for each that is not repeatable:
// 1. a contraction starts a group;
// 2. any other node joins the group of one of the values that it reads, the latest first, if the
// rules (Plan) allow;
// 3. otherwise it starts a group.
// Groups whose values meet in a pointwise node become one where neither has to be complete before
// the other.
class Grouper {
 public:
  explicit Grouper(const Function& f)
      : f_(f),
        repeatable_(f),
        group_of_(static_cast<size_t>(f.id_bound()), -1),
        inline_(static_cast<size_t>(f.id_bound())),
        stored_(static_cast<size_t>(f.id_bound()), false),
        alias_(static_cast<size_t>(f.id_bound()), -1),
        live_(static_cast<size_t>(f.id_bound()), false) {}

  FunctionCut Process() {
    for (const ir::Result& r : f_.results()) {
      alias_[static_cast<size_t>(r.value.node()->id())] = r.alias;
      stored_[static_cast<size_t>(r.value.node()->id())] = true;
      live_[static_cast<size_t>(r.value.node()->id())] = true;
    }
    for (const auto& n : f_.nodes() | std::views::reverse) {
      if (!live_[Id(*n)] && !n->op().has(ir::kCall)) continue;
      live_[Id(*n)] = true;
      for (const Value v : n->operands()) live_[Id(*v.node())] = true;
    }
    for (const auto& n : f_.nodes()) {
      if (live_[Id(*n)] && !repeatable_.contains(*n)) Place(*n);
    }
    JoinColumnSums();
    return Cut();
  }

 private:
  static size_t Id(const Node& n) { return static_cast<size_t>(n.id()); }

  int GroupOf(Value v) {
    const int g = v.node()->is_argument() ? -1 : group_of_[Id(*v.node())];
    return g < 0 ? -1 : graph_.Find(g);
  }

  void Place(const Node& n) {
    std::vector<Source> sources;
    for (const Value v : n.operands()) {
      if (n.op().has(ir::kTypeOnly)) break;
      for (const Source& s : repeatable_.SourcesOf(v, !n.op().has(ir::kPointwise)))
        sources.push_back(s);
    }
    int group = -1;
    if (!n.op().has(ir::kContraction) && !n.op().has(ir::kCall)) {
      for (const int candidate : Candidates(sources)) {
        if (TryJoin(n, sources, candidate)) {
          group = graph_.Find(candidate);
          break;
        }
      }
    }
    if (group < 0) group = Start(n, sources);
    if (n.op().has(ir::kPointwise)) MergeMeeting(sources, n, group);
    for (const Source& s : sources) {
      if (GroupOf(s.value) >= 0 && GroupOf(s.value) != graph_.Find(group)) Store(s.value);
    }
  }

  void Store(Value v) { stored_[Id(*v.node())] = true; }

  // Groups of the sources: those read at the node's own index, then those furthest along, first. A
  // scalar that is spread over a tensor is no reason to share a kernel with what computes it.
  std::vector<int> Candidates(const std::vector<Source>& sources) {
    std::vector<std::pair<std::pair<bool, int>, int>> list;
    for (const Source& s : sources) {
      const int g = GroupOf(s.value);
      if (g < 0 || kept_.contains(g) || (s.moved && s.value.rank() == 0)) continue;
      list.push_back({{s.moved, -graph_.level(g)}, g});
    }
    std::sort(list.begin(), list.end());
    std::vector<int> groups;
    for (const auto& [key, g] : list) {
      if (std::find(groups.begin(), groups.end(), g) == groups.end()) groups.push_back(g);
    }
    return groups;
  }

  int Weight(const Node& n) const {
    return n.op().has(ir::kTranscendental) ? kTranscendentalWeight : 1;
  }

  int Start(const Node& n, const std::vector<Source>& sources) {
    const int g = graph_.Add();
    groups_.emplace_back();
    groups_.back().has_contraction = n.op().has(ir::kContraction);
    if (n.op().has(ir::kCall)) kept_.insert(g);
    for (const Source& s : sources) {
      const int argument = f_.ArgumentIndex(s.value);
      if (groups_.back().has_contraction && argument >= 0) {
        groups_.back().contracted_arguments.insert(argument);
      }
    }
    std::vector<Value> stored;
    Add(n, sources, g, Combine(n, g, &stored));
    return g;
  }

  void Add(const Node& n, const std::vector<Source>& sources, int g, Inline as) {
    Group& group = groups_[static_cast<size_t>(g)];
    for (const Source& s : sources) {
      const int from = GroupOf(s.value);
      if (from == g) continue;
      if (from >= 0) graph_.AddEdge(from, g);
      if (std::find(group.inputs.begin(), group.inputs.end(), s.value) == group.inputs.end()) {
        group.inputs.push_back(s.value);
      }
    }
    group.nodes.push_back(&n);
    group.weight += Weight(n);
    group_of_[Id(n)] = g;
    inline_[Id(n)] = std::move(as);
  }

  // How `v` would be computed in group g, as a repeatable expression of g's values. What is not g's
  // is loaded.
  Inline StateOf(Value v, int g) {
    if (v.node()->is_argument()) return {};
    if (!repeatable_.contains(*v.node())) {
      return GroupOf(v) == g ? inline_[Id(*v.node())] : Inline{};
    }
    Inline state;
    const Node& n = *v.node();
    if (n.op().has(ir::kTypeOnly)) return state;
    for (int k = 0; k < n.num_operands(); ++k) {
      Merge(n, k, StateOf(n.operand(k), g), &state);
    }
    return state;
  }

  // Adds what operand k of `n` brings with it.
  void Merge(const Node& n, int k, const Inline& operand, Inline* state) {
    state->contraction |= operand.contraction;
    state->stage = std::max(state->stage, operand.stage);
    if (n.op().has(ir::kPointwise)) {
      state->repeats = std::max(state->repeats, operand.repeats);
      for (const uint32_t axes : operand.reductions) AddAxes(axes, state);
      return;
    }
    state->repeats += operand.repeats;
    if (operand.reductions.empty()) return;
    // What writes its own stores reads in an order of its own.
    const bool own_order = n.op().emit != nullptr;
    const std::vector<AxisUse> uses = own_order ? std::vector<AxisUse>() : AxisUses(n, k);
    for (const uint32_t axes : operand.reductions) {
      if (axes == kRepeated || own_order) {
        AddAxes(kRepeated, state);
        continue;
      }
      AxisUse all;
      for (size_t a = 0; a < uses.size(); ++a) {
        if ((axes >> a & 1U) == 0) continue;
        all.result_axes |= uses[a].result_axes;
        all.reduced |= uses[a].reduced;
        all.plain = all.plain && uses[a].plain;
      }
      // A sum that is read along a reduction, or at another index than its own, would be computed
      // once for that reader and once for the others: work done twice, and, since each place adds
      // up in an order of its own, two values for one. It is stored instead.
      AddAxes(all.reduced == 0 && all.plain ? all.result_axes : kRepeated, state);
    }
  }

  static constexpr uint32_t kRepeated = uint32_t{1} << 31;  // an axis mask that is no prefix
  static void AddAxes(uint32_t axes, Inline* state) {
    auto& list = state->reductions;
    if (std::find(list.begin(), list.end(), axes) == list.end()) list.push_back(axes);
  }

  // The state of n in group g. `must_store`: values of g that n has to load, because computing them
  // at the index where n reads them would repeat a sum. `waits`: whether there are values of g that
  // n reads from memory, those or what they follow from.
  Inline Combine(const Node& n, int g, std::vector<Value>* must_store, bool* waits = nullptr) {
    Inline state;
    int at_index = 1, elsewhere = 0;
    for (int k = 0; k < n.num_operands() && !n.op().has(ir::kTypeOnly); ++k) {
      const std::vector<Source> sources =
          repeatable_.SourcesOf(n.operand(k), !n.op().has(ir::kPointwise));
      const bool moved =
          std::any_of(sources.begin(), sources.end(), [](const Source& s) { return s.moved; });
      Inline operand = StateOf(n.operand(k), g);
      Inline with;
      with.repeats = 0;
      Merge(n, k, operand, &with);
      const bool repeated = std::any_of(with.reductions.begin(), with.reductions.end(),
                                        [](uint32_t axes) { return !IsPrefix(axes); });
      if (repeated || (moved && operand.contraction)) {
        for (const Source& s : sources) {
          if (GroupOf(s.value) != g) continue;
          if (waits != nullptr) *waits = true;
          int budget = kFromStored;
          std::optional<int> stage;
          // (Where rows are summed, a kernel that goes along them keeps what it reads at hand.)
          if (operand.contraction) {
            stage = FromStored(s.value, g, budget);
          }
          if (!stage) must_store->push_back(s.value);
          operand.stage =
              std::max(operand.stage, stage.value_or(inline_[Id(*s.value.node())].stage) + 1);
        }
        with = {false, {}, 1, operand.stage};
      }
      state.contraction |= with.contraction;
      state.stage = std::max(state.stage, with.stage);
      for (const uint32_t axes : with.reductions) AddAxes(axes, &state);
      // What is one number a row stands at the row's own index, however it got there.
      const bool of_row =
          !with.reductions.empty() && std::ranges::all_of(sources, [&](const Source& source) {
            return SpannedAxes(source.value.type()) < SpannedAxes(n.type());
          });
      if (moved && !of_row) {
        elsewhere += operand.repeats;
      } else {
        at_index = std::max(at_index, operand.repeats);
      }
    }
    // A reduction is computed once, so to its readers it is one value.
    const int repeats = at_index + elsewhere;
    state.repeats = n.op().has(ir::kReduction) && repeats <= kRepeatLimit ? 1 : repeats;
    if (n.op().has(ir::kCostly)) state.repeats = kCostlyRepeats;
    if (n.op().has(ir::kContraction)) state.contraction = true;
    if (n.op().emit != nullptr) {
      state.reductions = {kRepeated};  // stored before anything reads it
    } else if (n.op().has(ir::kReduction) || n.op().has(ir::kContraction)) {
      AddAxes(AllAxes(n.type().rank()), &state);
    }
    return state;
  }

  // Of a value that follows by a few cheap operations from what is in memory: the stage of the
  // latest of those that group g stores. Nullopt: it does not. It need not be stored itself.
  std::optional<int> FromStored(Value v, int g, int& budget) {
    const Node& n = *v.node();
    if (n.is_argument()) return 0;
    if (!repeatable_.contains(n)) {
      if (GroupOf(v) != g) return 0;
      if (stored_[Id(n)]) return inline_[Id(n)].stage;
      if (!IsCheap(n)) return std::nullopt;
    }
    if (--budget < 0) return std::nullopt;
    int stage = 0;
    for (const Value operand : n.operands()) {
      if (n.op().has(ir::kTypeOnly)) break;
      const std::optional<int> of = FromStored(operand, g, budget);
      if (!of) return std::nullopt;
      stage = std::max(stage, *of);
    }
    return stage;
  }

  bool TryJoin(const Node& n, const std::vector<Source>& sources, int g) {
    const Group& group = groups_[static_cast<size_t>(g)];
    if (group.weight + Weight(n) > kWeightLimit) return false;
    const int alias = alias_[Id(n)];
    if (alias >= 0 && group.contracted_arguments.contains(alias)) return false;
    // What is read at places that only the data tell is stored first.
    if (n.op().has(ir::kGathers) && GroupOf(n.operand(0)) == g) return false;
    size_t inputs = group.inputs.size();
    for (const Source& s : sources) {
      const int from = GroupOf(s.value);
      if (from == g) continue;
      if (from >= 0 && graph_.Reaches(g, from)) return false;
      inputs += std::find(group.inputs.begin(), group.inputs.end(), s.value) == group.inputs.end();
    }
    if (inputs > kInputLimit) return false;
    std::vector<Value> must_store;
    bool waits = false;
    Inline state = Combine(n, g, &must_store, &waits);
    if (state.repeats > kRepeatLimit) return false;
    // A tile's epilogue cannot wait for what is only known when all tiles are done. What it stores
    // anyhow is read from there by what waits.
    if (state.contraction && state.stage > 0) {
      for (const Source& s : sources) {
        if (GroupOf(s.value) != g) continue;
        const Inline& source = inline_[Id(*s.value.node())];
        if (source.contraction && !stored_[Id(*s.value.node())]) return false;
        state.stage = std::max(state.stage, source.stage + 1);
      }
      state.contraction = false;
    }
    // Movement of a contraction's result is left to whoever wants it moved.
    if (waits && group.has_contraction && !n.op().has(ir::kReduction)) return false;
    for (const Value v : must_store) Store(v);
    Add(n, sources, g, std::move(state));
    return true;
  }

  // Whether `v`, which group g computes, is a sum or the like that n reads as one number a row.
  bool IsOfRows(Value v, const Node& n, int g) {
    if (SpannedAxes(v.type()) == 0 || SpannedAxes(v.type()) > SpannedAxes(n.type())) return false;
    Inline state;
    for (int k = 0; k < n.num_operands(); ++k) Merge(n, k, StateOf(n.operand(k), g), &state);
    return !state.reductions.empty() && std::ranges::all_of(state.reductions, IsPrefix);
  }

  // Lets the groups of the other values that a pointwise node reads at its own index, or at that of
  // its row, become part of its group.
  void MergeMeeting(const std::vector<Source>& sources, const Node& n, int g) {
    for (const Source& s : sources) {
      const int other = GroupOf(s.value);
      g = graph_.Find(g);
      if (other < 0 || other == g || kept_.contains(other)) continue;
      if (s.moved && !IsOfRows(s.value, n, other)) continue;
      Group& into = groups_[static_cast<size_t>(g)];
      Group& from = groups_[static_cast<size_t>(other)];
      if (from.has_contraction || into.weight + from.weight > kWeightLimit) continue;
      if (into.inputs.size() + from.inputs.size() > kInputLimit) continue;
      // In an epilogue only what is pointwise itself; a reduction would have to wait for, or be
      // waited for by, tiles.
      const bool reduces = std::any_of(from.nodes.begin(), from.nodes.end(),
                                       [](const Node* x) { return x->op().has(ir::kReduction); });
      if (into.has_contraction && reduces) continue;
      if (!graph_.CanMerge(g, other)) continue;
      Absorb(g, other);
    }
    std::vector<Value> must_store;
    inline_[Id(n)] = Combine(n, graph_.Find(g), &must_store);
    for (const Value v : must_store) Store(v);
  }

  void Absorb(int g, int other) {
    const int kept = graph_.Merge(g, other);
    IR_CHECK(kept == g);
    Group& into = groups_[static_cast<size_t>(g)];
    Group& from = groups_[static_cast<size_t>(other)];
    into.nodes.insert(into.nodes.end(), from.nodes.begin(), from.nodes.end());
    into.weight += from.weight;
    for (const Value v : from.inputs) {
      if (std::find(into.inputs.begin(), into.inputs.end(), v) == into.inputs.end())
        into.inputs.push_back(v);
    }
    std::erase_if(into.inputs, [&](Value v) { return GroupOf(v) == g; });
    from = Group{};
  }

  // Groups without products that reduce along rows, or along columns and not along rows.
  std::vector<int> GroupsThatReduce(bool columns) {
    std::vector<int> list;
    for (int g = 0; g < static_cast<int>(groups_.size()); ++g) {
      const Group& group = groups_[static_cast<size_t>(g)];
      if (graph_.Find(g) != g || group.has_contraction || kept_.contains(g)) continue;
      const auto reduces = [&](bool down) {
        return std::ranges::any_of(group.nodes, [&](const Node* n) {
          return n->op().has(ir::kReduction) && n->op().emit == nullptr && ReducesAlong(*n, down);
        });
      };
      if (reduces(columns) && !(columns && reduces(false))) list.push_back(g);
    }
    return list;
  }

  // What sums the columns of rows that another group goes along becomes part of it, so that it
  // finds them in the cache.
  void JoinColumnSums() {
    const std::vector<int> columns = GroupsThatReduce(true);
    if (columns.empty()) return;
    const std::vector<int> rows = GroupsThatReduce(false);
    for (const int g : columns) {
      for (const int other : rows) {
        const Group& into = groups_[static_cast<size_t>(other)];
        const Group& from = groups_[static_cast<size_t>(g)];
        const bool shares = std::ranges::any_of(from.inputs, [&](Value v) {
          return SpannedAxes(v.type()) > 1 &&
                 std::ranges::find(into.inputs, v) != into.inputs.end();
        });
        if (!shares || into.weight + from.weight > kWeightLimit) continue;
        if (into.inputs.size() + from.inputs.size() > kInputLimit) continue;
        if (graph_.Reaches(g, other) || graph_.Reaches(other, g)) continue;
        Absorb(other, g);
        break;
      }
    }
  }

  FunctionCut Cut() {
    FunctionCut cut;
    Grouped grouped{f_, repeatable_, std::vector<int>(group_of_.size(), -1), stored_, live_};
    for (size_t id = 0; id < group_of_.size(); ++id) {
      if (group_of_[id] >= 0) grouped.group[id] = graph_.Find(group_of_[id]);
    }
    cut.copied = LeftToReaders(grouped);
    std::vector<int> kernel_of(groups_.size(), -1);
    for (const auto& n : f_.nodes()) {
      if (!live_[Id(*n)] || repeatable_.contains(*n) || cut.copied[Id(*n)]) {
        cut.copied[Id(*n)] = true;
        continue;
      }
      const int g = GroupOf(n->result());
      if (kept_.contains(g)) continue;
      int& k = kernel_of[static_cast<size_t>(g)];
      if (k < 0) {
        k = static_cast<int>(cut.kernels.size());
        cut.kernels.emplace_back();
      }
      KernelCut& kernel = cut.kernels[static_cast<size_t>(k)];
      kernel.nodes.push_back(n.get());
      if (!stored_[Id(*n)]) continue;
      for (int r = 0; r < n->num_results(); ++r) kernel.outputs.push_back(n->result(r));
    }
    return cut;
  }

  const Function& f_;
  Repeatable repeatable_;
  GroupGraph graph_;
  std::vector<Group> groups_;  // by group number, valid for those that are their own representative
  std::vector<int> group_of_;  // by node id
  std::vector<Inline> inline_;  // by node id
  std::vector<bool> stored_;    // by node id: is a result of its kernel
  std::vector<int> alias_;  // by node id: the argument in whose memory the function wants it, or -1
  std::vector<bool> live_;  // by node id
  absl::flat_hash_set<int> kept_;  // groups of calls, which stay
};

}  // namespace

FunctionCut GroupIntoKernels(const Function& f) { return Grouper(f).Process(); }

}  // namespace gradus::passes
