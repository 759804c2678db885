#include "passes/scheduling/shared_sums.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "ir/loop/walk.h"

namespace gradus::passes::scheduling {
namespace {

// Orders of loops that are tried to find how one sum is another at other indices.
constexpr int kMostOrders = 120;

// The steps that store to one of the buffers that the block stores to.
std::set<size_t> StepsOf(const Block& block, const loop::Plan& plan) {
  const auto is_of_block = [&](const loop::FlatStore& s) {
    return std::ranges::any_of(block.stores, [&](const auto& b) { return b.buffer == s.buffer; });
  };
  std::set<size_t> steps;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const bool stores_there = std::ranges::any_of(
        loop::StoresOf(plan.steps[i]),
        [&](const auto& stores) { return std::ranges::any_of(stores, is_of_block); });
    if (stores_there) steps.insert(i);
  }
  return steps;
}

// The float sums and products that loops of their own could compute: not what a guard keeps from
// being evaluated everywhere.
std::vector<const Scalar*> SumsOf(const Block& block) {
  std::vector<const Scalar*> sums;
  const std::vector<const Scalar*> values = block.values();
  loop::ForEachReached(values, [&](const Scalar* s) {
    const bool rounds = s->kind == ScalarKind::kReduce && ir::IsFloat(s->dtype) &&
                        s->reduce != loop::ReduceKind::kMax && s->reduce != loop::ReduceKind::kMin;
    if (rounds) sums.push_back(s);
    return s->kind != ScalarKind::kGuard;
  });
  return sums;
}

// The sums of one node of the graph: at whatever indices, they are over the same variables.
struct SumsOfNode {
  Variables over;
  std::set<size_t> steps;   // that compute them
  std::set<size_t> blocks;  // in which they stand
  bool of_rows = false;     // one number for several elements of a block
};

std::vector<SumsOfNode> FindNodes(const std::vector<Block>& blocks, const loop::Plan& plan) {
  std::vector<SumsOfNode> nodes;
  for (size_t b = 0; b < blocks.size(); ++b) {
    const std::vector<const Scalar*> sums = SumsOf(blocks[b]);
    if (sums.empty()) continue;
    const std::set<size_t> steps = StepsOf(blocks[b], plan);
    for (const Scalar* sum : sums) {
      auto node = std::ranges::find_if(
          nodes, [&](const SumsOfNode& n) { return std::ranges::equal(n.over, sum->variables); });
      if (node == nodes.end()) {
        nodes.push_back({.over = {sum->variables.begin(), sum->variables.end()}});
        node = nodes.end() - 1;
      }
      node->steps.insert(steps.begin(), steps.end());
      node->blocks.insert(b);
      node->of_rows |= sum->free.size() < blocks[b].loops.size();
    }
  }
  return nodes;
}

bool AreShared(const SumsOfNode& node) {
  return node.steps.size() > 1 && (node.blocks.size() > 1 || node.of_rows);
}

// The variables by which `from` becomes `to`; nullopt if none were found.
std::optional<std::vector<loop::Substitution>> Renaming(Arena& arena, const Scalar* from,
                                                        const Scalar* to) {
  if (from->free.size() != to->free.size()) return std::nullopt;
  std::vector<size_t> order(to->free.size());
  std::iota(order.begin(), order.end(), size_t{0});
  for (int tried = 0; tried < kMostOrders; ++tried) {
    std::vector<loop::Substitution> renaming;
    bool equal_loops = true;
    for (size_t i = 0; i < order.size(); ++i) {
      const Variable* v = to->free[order[i]];
      equal_loops = equal_loops && from->free[i]->extent() == v->extent();
      if (from->free[i] != v) renaming.push_back({from->free[i], Index(v)});
    }
    if (equal_loops && arena.Substitute(from, renaming) == to) return renaming;
    if (!std::ranges::next_permutation(order).found) break;
  }
  return std::nullopt;
}

class SharedSums {
 public:
  SharedSums(Planner& planner, std::vector<Block>& blocks) : planner_(planner), blocks_(blocks) {}

  // Stores the node's sum once; false if its places have nothing in common.
  bool Store(const SumsOfNode& node) {
    const std::vector<Place> places = PlacesOf(node);
    if (places.empty()) return false;
    const size_t at = places.front().block;
    const Scalar* sum = places.front().sum;
    const bool for_rows = sum->free.size() < blocks_[at].loops.size();
    if (places.back().block == at && !for_rows) return false;
    const std::optional<Variables> loops = LoopsOf(*sum, blocks_[at]);
    if (!loops) return false;
    const Planner::Laid laid = planner_.LayOut(sum->dtype, *loops);
    // Loops that run as far as those of the sum can store it beside what else they do.
    const bool beside = !blocks_[at].ordered() && blocks_[at].loops == *loops &&
                        std::ranges::none_of(places, [&](const Place& place) {
                          return place.block == at && place.sum != sum;
                        });
    for (const Place& place : places) {
      if (beside && place.block == at) continue;
      const Index offset = loop::Substitute(planner_.arena, laid.offset, place.renaming);
      const Scalar* load = planner_.arena.Load(laid.buffer, sum->dtype, std::span(&offset, 1));
      for (loop::FlatStore& store : blocks_[place.block].stores) {
        ReplaceScalars(store, [&](const Scalar* s) {
          return planner_.arena.Substitute(s, {}, {{place.sum, load}});
        });
      }
    }
    const auto where = blocks_.begin() + static_cast<std::ptrdiff_t>(at);
    Block& block = beside ? *where : *blocks_.insert(where, Block());
    block.loops = *loops;
    block.stores.push_back({laid.buffer, laid.offset, sum});
    return true;
  }

 private:
  struct Place {
    size_t block;
    const Scalar* sum;
    std::vector<loop::Substitution> renaming;  // from the first place to this one
  };

  std::vector<Place> PlacesOf(const SumsOfNode& node) {
    std::vector<Place> places;
    for (size_t b = 0; b < blocks_.size(); ++b) {
      for (const Scalar* sum : SumsOf(blocks_[b])) {
        if (!std::ranges::equal(node.over, sum->variables)) continue;
        const Scalar* first = places.empty() ? sum : places.front().sum;
        if (auto renaming = Renaming(planner_.arena, first, sum)) {
          places.push_back({b, sum, *std::move(renaming)});
        }
      }
    }
    return places;
  }

  // What the sum depends on, as loops: those of the block in their order, then those of reductions
  // around the sum, but one whose extent is a quotient outermost. Nullopt if scratch cannot be laid
  // out over them.
  static std::optional<Variables> LoopsOf(const Scalar& sum, const Block& block) {
    Variables loops;
    for (const Variable* v : block.loops) {
      if (Contains(sum.free, v)) loops.push_back(v);
    }
    for (const Variable* v : sum.free) {
      if (!Contains(block.loops, v)) loops.push_back(v);
    }
    const auto is_quotient = [](const Variable* v) { return v->extent().divisor != 1; };
    std::ranges::stable_partition(loops, is_quotient);
    if (loops.size() > 1 && is_quotient(loops[1])) return std::nullopt;
    return loops;
  }

  Planner& planner_;
  std::vector<Block>& blocks_;
};

}  // namespace

bool StoreSharedSums(Planner& planner, const loop::Plan& plan, std::vector<Block>& blocks) {
  if (std::ranges::none_of(FindNodes(blocks, plan), AreShared)) return false;
  // So that loops of one pass, which one block has and another has not, make no difference.
  for (Block& block : blocks) DropUnitLoops(planner.arena, block);
  bool changed = false;
  for (const SumsOfNode& node : FindNodes(blocks, plan)) {
    if (AreShared(node)) changed = SharedSums(planner, blocks).Store(node) || changed;
  }
  return changed;
}

}  // namespace gradus::passes::scheduling
