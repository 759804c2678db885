#include "passes/scheduling/ranges.h"

#include <algorithm>
#include <map>
#include <set>

namespace gradus::passes::scheduling {
namespace {

// More would be code for little work each.
constexpr size_t kMostRanges = 8;

bool Sums(const Block& block) {
  return block.ordered() || std::ranges::any_of(PostOrder(block.values()), [](const Scalar* s) {
           return s->kind == ScalarKind::kReduce || s->kind == ScalarKind::kAcc;
         });
}

// True if a store of `writer` may touch memory that `other` reads.
bool MayDisturb(std::span<const loop::Buffer> buffers, const Block& writer, const Block& other) {
  const std::vector<const Scalar*> loads = LoadsOf(other.values());
  return std::ranges::any_of(writer.stores, [&](const loop::FlatStore& store) {
    return MayTouch(buffers, store.buffer, loads);
  });
}

bool EqualLengths(const Block& a, const Block& b) {
  return std::ranges::equal(a.loops, b.loops, [](const Variable* x, const Variable* y) {
    return x->extent() == y->extent();
  });
}

}  // namespace

std::optional<std::vector<Block>> SplitRanges(Arena& arena, const Block& block, int64_t shortest) {
  if (Sums(block) || !block.domain.empty()) return std::nullopt;
  std::map<int, std::set<int64_t>> cuts;  // by the number of the loop
  for (const Scalar* s : PostOrder(block.values())) {
    for (const loop::Condition& condition : s->conditions) {
      const std::optional<Bounded> bounded = AsBounded(condition);
      if (!bounded) continue;
      const auto loop = std::ranges::find(block.loops, bounded->v);
      if (loop == block.loops.end() || !bounded->v->extent().is_number()) continue;
      for (const int64_t cut : {bounded->low, bounded->high}) {
        if (cut <= 0 || cut >= bounded->v->extent().number()) continue;
        cuts[static_cast<int>(loop - block.loops.begin())].insert(cut);
      }
    }
  }
  for (auto& [number, places] : cuts) {
    const Variable* v = block.loops[static_cast<size_t>(number)];
    places.insert(v->extent().number());
    if (places.size() > kMostRanges) continue;
    std::vector<Block> parts;
    int64_t begin = 0;
    for (const int64_t end : places) {
      if (end - begin < shortest) break;
      Block part = block;
      const Variable* within = arena.NewVariable(v->name(), Extent(end - begin));
      ReplaceVariable(arena, part, v, {within}, Index(within) + Index(begin));
      parts.push_back(std::move(part));
      begin = end;
    }
    if (begin == v->extent().number()) return parts;
  }
  return std::nullopt;
}

void JoinEqualLoops(Arena& arena, std::span<const loop::Buffer> buffers,
                    std::vector<Block>& blocks) {
  for (size_t i = 1; i < blocks.size();) {
    Block& before = blocks[i - 1];
    Block& block = blocks[i];
    if (Sums(before) || Sums(block) || !before.domain.empty() || !block.domain.empty() ||
        !EqualLengths(before, block) || MayDisturb(buffers, before, block) ||
        MayDisturb(buffers, block, before)) {
      ++i;
      continue;
    }
    std::vector<loop::Substitution> same;
    for (size_t v = 0; v < block.loops.size(); ++v) {
      if (block.loops[v] != before.loops[v]) {
        same.push_back({block.loops[v], Index(before.loops[v])});
      }
    }
    SubstituteVariables(arena, block, same);
    before.stores.insert(before.stores.end(), block.stores.begin(), block.stores.end());
    blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace gradus::passes::scheduling
