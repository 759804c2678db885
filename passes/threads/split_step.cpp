#include "passes/threads/split_step.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "ir/loop/walk.h"
#include "passes/threads/work.h"

namespace gradus::passes {
namespace {

using loop::Split;
using loop::Variable;

// A loop that a step may be shared along, and what it would be handed out in.
struct Candidate {
  const Variable* variable;
  int64_t unit;
};

double Units(const Candidate& c) {
  const loop::Extent& e = c.variable->extent();
  double steps = static_cast<double>(e.scale) / static_cast<double>(e.divisor);
  for (size_t i = 0; i < e.symbols.size(); ++i) steps *= kTypicalSize;
  return std::ceil(steps / static_cast<double>(c.unit));
}

// True if stores at different steps of `v` are to different places, by what a store is: one value
// for each element of its array.
bool WritesApart(std::span<const loop::FlatStore> stores, const Variable* v) {
  return std::ranges::all_of(stores, [&](const loop::FlatStore& s) {
    const auto terms = s.offset.terms();
    return !s.accumulate &&
           std::ranges::any_of(terms, [&](const loop::Term& t) { return t.variable == v; });
  });
}

// True if a value loads from an array that the nest stores to, as a running sum across rows does
// from the row before.
bool ReadsWhatItWrites(const loop::Nest& nest) {
  std::vector<const loop::Scalar*> values;
  for (const loop::FlatStore& s : nest.stores) values.push_back(s.value);
  bool reads = false;
  loop::ForEachReached(std::span<const loop::Scalar* const>(values), [&](const loop::Scalar* x) {
    reads |= x->reads_buffer() && std::ranges::any_of(nest.stores, [&](const loop::FlatStore& s) {
               return s.buffer == x->buffer;
             });
  });
  return reads;
}

// True if a sum of the nest runs over `v`, too: each part would have the sum of its own range.
bool ReducesOver(const loop::Nest& nest, const Variable* v) {
  std::vector<const loop::Scalar*> values;
  for (const auto* stores : {&nest.row_stores, &nest.stores}) {
    for (const loop::FlatStore& s : *stores) values.push_back(s.value);
  }
  bool reduces = false;
  loop::ForEachReached(std::span<const loop::Scalar* const>(values), [&](const loop::Scalar* x) {
    reduces |= x->kind == loop::ScalarKind::kReduce &&
               std::ranges::find(x->variables, v) != x->variables.end();
  });
  return reduces;
}

Split Choose(std::span<const Candidate> candidates, const loop::Polynomial& work,
             const ir::Sharing& sharing) {
  // As many parts suit several threads of unequal speed.
  constexpr double kEnough = 16;
  Split split;
  const double all = WorkAt(work, kTypicalSize);
  if (all < static_cast<double>(sharing.least_work)) return split;
  const Candidate* best = nullptr;
  for (const Candidate& c : candidates) {
    if (Units(c) < 2) continue;
    if (best == nullptr || Units(c) > Units(*best)) best = &c;
    if (Units(c) >= kEnough) break;
  }
  if (best == nullptr) return split;
  split.variable = best->variable;
  split.unit = best->unit;
  const double a_unit = all / Units(*best);
  split.least_units = std::max<int64_t>(
      1, static_cast<int64_t>(std::ceil(static_cast<double>(sharing.part_work) / a_unit)));
  split.work = work;
  split.least_work = sharing.least_work;
  return split;
}

// Where caches are far, so many rows of A at a time that they stay in the second one while all
// columns of B pass (Granite Rapids: 1024x1024x256 4.36 ms at once, 3.50 in two blocks; a step of a
// transformer 1.43 times the floor, with it 1.38 to 1.40 for blocks of 128 to 768 KiB). 0: all.
int64_t BlockUnits(const loop::Contraction& c, const Split& split, const ir::Target& target) {
  constexpr int64_t kFewColumnTiles = 4;
  const Variable* v = split.variable;
  const bool of_rows = v != nullptr && std::ranges::find(c.m, v) != c.m.end();
  if (!target.far_caches || !of_rows || c.b_panel_buffer >= 0 || c.k_block > 0) return 0;
  if (c.order != loop::Contraction::Order::kColumnsOuter) return 0;
  const int64_t bytes = ir::ByteSize(c.dtype);
  const int64_t columns = c.tile_vectors * target.lanes(static_cast<int>(bytes));
  const std::optional<int64_t> b = loop::BytesOfB(c), apart = c.a.offset.numeric_coefficient(v);
  if (!b || *b > target.l2_bytes / 2 || !apart) return 0;
  if (c.n->extent().number() < kFewColumnTiles * columns) return 0;
  int64_t terms = 1;
  for (const Variable* k : c.k) {
    if (!k->extent().is_number()) return 0;
    terms *= k->extent().number();
  }
  const int64_t unit = std::max<int64_t>(1, std::max(std::abs(*apart), terms) * bytes * split.unit);
  return std::max<int64_t>(1, target.l2_bytes / 4 / unit);
}

}  // namespace

Split ChooseSplit(const loop::Nest& nest, const ir::Target& target) {
  std::vector<Candidate> candidates;
  // Running sums are carried from place to place by loops of their own.
  if (nest.running != nullptr || ReadsWhatItWrites(nest)) return {};
  for (const Variable* v : nest.loops) {
    // Passes over a row are by one thread; what is stored once a row, once.
    if (v == nest.row || !WritesApart(nest.stores, v) || !WritesApart(nest.row_stores, v)) continue;
    if (ReducesOver(nest, v)) continue;
    const int64_t lanes =
        target.lanes(static_cast<int>(ir::ByteSize(nest.stores.front().value->dtype)));
    // Up to four vectors at a time, or tiles of as many rows as lanes.
    const bool in_lanes = v == nest.vector || v == nest.cross;
    if (nest.sums.block != nullptr) {
      // (only the rows, in whole blocks)
      if (v == nest.loops[0]) candidates.push_back({v, nest.sums.pass.across->extent().number()});
      continue;
    }
    if (in_lanes && v->extent().divisor != 1) continue;
    candidates.push_back({v, in_lanes ? 4 * std::max<int64_t>(lanes, 1) : 1});
  }
  return Choose(candidates, WorkOf(nest), target.sharing);
}

Split ChooseSplit(const loop::Contraction& c, const ir::Target& target) {
  std::vector<Candidate> candidates;
  const int64_t lanes = target.lanes(static_cast<int>(ir::ByteSize(c.dtype)));
  const Candidate columns{c.n, std::max<int64_t>(1, c.tile_vectors * lanes)};
  if (c.b_panel_buffer < 0) {
    std::vector<const Variable*> outer = c.batch;
    outer.insert(outer.end(), c.m.begin(), c.m.end() - 1);
    for (const Variable* v : outer) {
      if (WritesApart(c.epilogue, v)) candidates.push_back({v, 1});
    }
    const Variable* row = c.m.back();
    if (row->extent().divisor == 1 && WritesApart(c.epilogue, row)) {
      candidates.push_back({row, c.tile_rows});
    }
  }
  // Panels of B are those of the part's own columns.
  if (WritesApart(c.epilogue, c.n)) candidates.push_back(columns);
  Split split = Choose(candidates, WorkOf(c), target.sharing);
  split.block_units = BlockUnits(c, split, target);
  return split;
}

}  // namespace gradus::passes
