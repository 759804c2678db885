#include "passes/scheduling/column_blocks.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "ir/loop/walk.h"
#include "passes/scheduling/row_work.h"

namespace gradus::passes::scheduling {
namespace {

// Rows of a block: enough to hide that staggered rows take some turns to begin.
constexpr int64_t kBlock = 16 * loop::ColumnSums::kRowsAtOnce;

struct Split {
  loop::ColumnSums of_blocks;  // into scratch: a row for each block
  loop::Nest of_all;           // what the sums stored
};

class Blocks {
 public:
  Blocks(Planner& planner, const loop::Nest& rows, const loop::Nest& sums)
      : planner_(planner), arena_(planner.arena), rows_(rows), sums_(sums) {}

  bool AreAboutTheSame() { return GoesAlongRows() && SumsColumns() && SharesRows() && IsLarge(); }

 private:
  bool GoesAlongRows() const {
    if (rows_.sums.block != nullptr) return false;
    if (rows_.row == nullptr || rows_.loops.size() != 2 || rows_.loops[1] != rows_.row)
      return false;
    if (rows_.passes.empty() || !rows_.domain.empty()) return false;
    if (std::ranges::any_of(rows_.passes,
                            [](const auto& pass) { return pass.across != nullptr; })) {
      return false;
    }
    for (const auto* list : {&rows_.row_stores, &rows_.stores}) {
      for (const loop::FlatStore& s : *list) {
        if (s.accumulate || s.jump != nullptr) return false;
      }
    }
    return true;
  }

  // One pass across as many rows as the other nest goes along, and no other.
  bool SumsColumns() const {
    if (sums_.passes.size() != 1 || sums_.passes[0].across == nullptr) return false;
    if (sums_.loops.size() != 1 || sums_.row != sums_.loops[0] || !sums_.row_stores.empty()) {
      return false;
    }
    const Extent& extent = sums_.passes[0].across->extent();
    if (extent.is_number() && extent.number() <= kBlock) return false;  // one block is no sum
    return extent.divisor == 1 && extent == rows_.loops[0]->extent() &&
           sums_.row->extent() == rows_.row->extent();
  }

  // Something that both load, or that one stores and the other loads, stands at the same place of
  // the same row; what is stored and loaded at another place has to be complete.
  bool SharesRows() const {
    const loop::Substitution at[] = {{sums_.passes[0].across, Index(rows_.loops[0])},
                                     {sums_.row, Index(rows_.row)}};
    const auto there = [&](const Index& form) { return loop::Substitute(arena_, form, at); };
    absl::flat_hash_map<int, const Index*> stored;
    for (const auto* list : {&rows_.row_stores, &rows_.stores}) {
      for (const loop::FlatStore& s : *list) stored[s.buffer] = &s.offset;
    }
    std::vector<const Scalar*> loads;
    loop::ForEachReached(RootsOf(rows_), [&](const Scalar* s) {
      if (s->kind == ScalarKind::kLoad) loads.push_back(s);
    });
    bool shares = false, apart = true;
    loop::ForEachReached(BodiesOf(sums_.passes[0]), [&](const Scalar* s) {
      if (s->kind == ScalarKind::kReduce) apart = false;
      if (!s->reads_buffer()) return;
      const auto it = stored.find(s->buffer);
      const bool is_load = s->kind == ScalarKind::kLoad;
      if (it != stored.end()) {
        apart &= is_load && there(s->indices[0]) == *it->second;
        shares = true;
      } else if (is_load && s->depends_on(sums_.row)) {
        shares |= std::ranges::any_of(loads, [&](const Scalar* l) {
          return l->buffer == s->buffer && l->indices[0] == there(s->indices[0]);
        });
      }
    });
    return shares && apart;
  }

  // Whether what both nests touch is more than half of the second level of cache.
  bool IsLarge() const {
    absl::flat_hash_map<int, int64_t> arrays;  // bytes of an element, by buffer
    std::vector<const Scalar*> roots = RootsOf(rows_);
    const std::vector<const Scalar*> bodies = BodiesOf(sums_.passes[0]);
    roots.insert(roots.end(), bodies.begin(), bodies.end());
    loop::ForEachReached(roots, [&](const Scalar* s) {
      const bool moves = s->depends_on(rows_.loops[0]) || s->depends_on(sums_.passes[0].across);
      if (s->reads_buffer() && moves) arrays[s->buffer] = ir::ByteSize(s->dtype);
    });
    for (const loop::FlatStore& s : rows_.stores) arrays[s.buffer] = ir::ByteSize(s.value->dtype);
    int64_t bytes = 0;
    for (const auto& [buffer, of_element] : arrays) bytes += of_element;
    const Extent& all = rows_.loops[0]->extent();
    return !all.is_number() ||
           bytes * all.number() * rows_.row->extent().number() > planner_.target.l2_bytes / 2;
  }

 public:
  Split Form() {
    const loop::RowPass& pass = sums_.passes[0];
    const Extent& all = pass.across->extent();
    const Extent count = loop::CeilDiv(all, kBlock);
    const Variable* const in_block = arena_.NewVariable(pass.across->name(), Extent(kBlock));
    const Variable* const of = arena_.NewVariable("block", count);
    const Variable* const again = arena_.NewVariable("block", count);
    const loop::Substitution to_block{pass.across, Index(of) * kBlock + Index(in_block)};
    const loop::Substitution to_again{of, Index(again)};

    Split result;
    result.of_all = sums_;
    loop::ColumnSums& first = result.of_blocks;
    first.block = of;
    first.column = sums_.row;
    first.pass.across = in_block;
    loop::RowPass& last = result.of_all.passes[0];
    last.across = again;
    last.reductions.clear();
    absl::flat_hash_map<const Scalar*, const Scalar*> sums;
    for (const Scalar* r : pass.reductions) {
      const Scalar* body = arena_.Substitute(r->operands[0], std::span(&to_block, 1));
      const Scalar* sum = arena_.Reduce(r->reduce, std::span(&in_block, 1), body);
      const Variable* const over[] = {of, sums_.row};
      const Planner::Laid laid = planner_.LayOut(r->dtype, over);
      first.pass.reductions.push_back(sum);
      first.stores.push_back({laid.buffer, laid.offset, sum});
      const Index offset = loop::Substitute(arena_, laid.offset, std::span(&to_again, 1));
      const Scalar* load = arena_.Load(laid.buffer, r->dtype, std::span(&offset, 1));
      sums[r] = arena_.Reduce(r->reduce, std::span(&again, 1), load);
      last.reductions.push_back(sums[r]);
    }
    for (loop::FlatStore& s : result.of_all.stores) s.value = arena_.Substitute(s.value, {}, sums);
    return result;
  }

 private:
  Planner& planner_;
  Arena& arena_;
  const loop::Nest& rows_;
  const loop::Nest& sums_;
};

// Buffers that a step reads and writes.
struct Touched {
  absl::flat_hash_set<int> read, written;
};

void Add(std::span<const loop::FlatStore> stores, Touched& touched) {
  std::vector<const Scalar*> roots;
  for (const loop::FlatStore& s : stores) {
    touched.written.insert(s.buffer);
    for (const Scalar* root : {s.value, s.jump, s.where}) {
      if (root != nullptr) roots.push_back(root);
    }
  }
  for (const Scalar* load : LoadsOf(roots)) touched.read.insert(load->buffer);
}

Touched TouchedBy(const Block& block) {
  Touched touched;
  Add(block.row_stores, touched);
  Add(block.stores, touched);
  return touched;
}

Touched TouchedBy(const loop::Step& step) {
  Touched touched;
  for (const std::span<const loop::FlatStore> stores : loop::StoresOf(step)) Add(stores, touched);
  if (const auto* c = std::get_if<loop::Contraction>(&step)) {
    touched.read.insert({c->a.buffer, c->b.buffer});
    touched.written.insert({c->b_panel_buffer, c->partial_buffer});
  }
  return touched;
}

// Whether what is written is what is read, or may be in its memory.
bool Meet(const loop::Kernel& kernel, const absl::flat_hash_set<int>& written,
          const absl::flat_hash_set<int>& read) {
  return std::ranges::any_of(written, [&](int w) {
    const int output = w - kernel.num_inputs;
    const bool is_output = output >= 0 && output < kernel.num_outputs;
    return std::ranges::any_of(read, [&](int r) {
      return w == r || (is_output && r < kernel.num_inputs && loop::InPlaceSafe(kernel, r, output));
    });
  });
}

bool HaveNoOrder(const loop::Kernel& kernel, const Touched& a, const Touched& b) {
  return !Meet(kernel, a.written, b.read) && !Meet(kernel, b.written, a.read) &&
         std::ranges::none_of(a.written, [&](int buffer) { return b.written.contains(buffer); });
}

bool IsSumOfColumns(const Block& block) {
  if (block.loops.size() != 1 || block.ordered() || !block.domain.empty()) return false;
  return std::ranges::all_of(block.stores, [&](const loop::FlatStore& s) {
    const std::vector<const Scalar*> all = PostOrder({&s.value, 1});
    return s.jump == nullptr && std::ranges::any_of(all, [&](const Scalar* x) {
             return x->kind == ScalarKind::kReduce && x->depends_on(block.loops[0]);
           });
  });
}

bool HaveTheSameRows(const Block& a, const Block& b) {
  return a.loops.size() > 1 && a.loops.size() == b.loops.size() &&
         std::ranges::equal(a.loops, b.loops, [](const Variable* x, const Variable* y) {
           return x->extent() == y->extent();
         });
}

// Finds for each nest along rows what may follow it.
class Follower {
 public:
  Follower(Planner& planner, const loop::Kernel& kernel) : planner_(planner), kernel_(kernel) {}

  void Process() {
    for (size_t i = 0; i < steps().size(); ++i) {
      if (!std::holds_alternative<loop::Nest>(steps()[i])) continue;
      std::vector<size_t> found;
      for (size_t j = 0; j < steps().size(); ++j) {
        if (j == i || !std::holds_alternative<loop::Nest>(steps()[j])) continue;
        if (Blocks(planner_, nest(i), nest(j)).AreAboutTheSame() && MayFollow(i, j)) {
          found.push_back(j);
        }
      }
      if (found.empty()) continue;
      loop::Nest sums = nest(found[0]);
      for (size_t f = 1; f < found.size(); ++f) Join(sums, nest(found[f]));
      Split split = Blocks(planner_, nest(i), sums).Form();
      for (size_t f = found.size(); f-- > 0;) {
        steps().erase(steps().begin() + static_cast<std::ptrdiff_t>(found[f]));
        if (found[f] < i) --i;
      }
      Give(std::get<loop::Nest>(steps()[i]), std::move(split.of_blocks));
      steps().insert(steps().begin() + static_cast<std::ptrdiff_t>(i) + 1, std::move(split.of_all));
      ++i;
    }
  }

 private:
  std::vector<loop::Step>& steps() { return planner_.plan.steps; }
  const loop::Nest& nest(size_t i) { return std::get<loop::Nest>(steps()[i]); }

  static void Give(loop::Nest& rows, loop::ColumnSums sums) {
    absl::flat_hash_set<int> read;
    for (const Scalar* load : LoadsOf(BodiesOf(sums.pass))) read.insert(load->buffer);
    for (auto* list : {&rows.stores, &rows.group.stores}) {
      for (loop::FlatStore& s : *list) s.read_soon = read.contains(s.buffer);
    }
    rows.sums = std::move(sums);
  }

  // Whether step j may run right after step i: it changes places with those between, and with i if
  // it stands before it.
  bool MayFollow(size_t i, size_t j) {
    const Touched own = TouchedBy(steps()[j]);
    const size_t first = j < i ? j + 1 : i + 1, end = j < i ? i + 1 : j;
    for (size_t k = first; k < end; ++k) {
      if (!HaveNoOrder(kernel_, own, TouchedBy(steps()[k]))) return false;
    }
    return true;
  }

  // Adds the stores and sums of `more`, over the variables of `sums`.
  void Join(loop::Nest& sums, const loop::Nest& more) {
    const loop::Substitution to[] = {{more.row, Index(sums.row)},
                                     {more.passes[0].across, Index(sums.passes[0].across)}};
    Arena& arena = planner_.arena;
    for (loop::FlatStore s : more.stores) {
      s.value = arena.Substitute(s.value, to);
      s.offset = loop::Substitute(arena, s.offset, to);
      sums.stores.push_back(std::move(s));
    }
    std::vector<const Scalar*>& reductions = sums.passes[0].reductions;
    for (const Scalar* r : more.passes[0].reductions) {
      const Scalar* renamed = arena.Substitute(r, to);
      if (std::ranges::find(reductions, renamed) == reductions.end()) reductions.push_back(renamed);
    }
  }

  Planner& planner_;
  const loop::Kernel& kernel_;
};

}  // namespace

void MoveSumsOfColumnsBack(const loop::Kernel& kernel, std::vector<Block>& blocks) {
  for (size_t i = blocks.size(); i-- > 0;) {
    if (!IsSumOfColumns(blocks[i])) continue;
    size_t behind = i;  // the last that it has to pass
    for (size_t k = i + 1; k < blocks.size(); ++k) {
      const auto is_apart = [&](const Block& before) { return HaveTheSameRows(before, blocks[k]); };
      if (std::any_of(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(i), is_apart)) {
        behind = k;
      }
    }
    const Touched own = TouchedBy(blocks[i]);
    bool can_move = true;
    for (size_t k = i + 1; k <= behind; ++k) {
      can_move &= HaveNoOrder(kernel, own, TouchedBy(blocks[k]));
    }
    if (!can_move) continue;
    const auto first = blocks.begin() + static_cast<std::ptrdiff_t>(i);
    std::rotate(first, first + 1, blocks.begin() + static_cast<std::ptrdiff_t>(behind) + 1);
  }
}

void SumColumnsBesideRows(Planner& planner, const loop::Kernel& kernel) {
  Follower(planner, kernel).Process();
}

}  // namespace gradus::passes::scheduling
