#include "passes/scheduling/join_rows.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "passes/scheduling/merge_loops.h"

namespace gradus::passes::scheduling {
namespace {

// Beyond this, rows and what is kept of them no longer share the first levels of cache.
constexpr size_t kMostStores = 6;

// True if the block has reductions, all of which run along rows of this length and read them with
// stride 1.
bool ReducesRows(const Block& block, const Extent& row) {
  bool reduces = false;
  for (const Scalar* s : PostOrder(block.values())) {
    if (s->kind != ScalarKind::kReduce) continue;
    reduces = true;
    const Variable* v = s->variables.back();
    if (s->variables.size() != 1 || !(v->extent() == row)) return false;
    const Scalar* const body[] = {s->operands[0]};
    for (const Scalar* load : PostOrder(body)) {
      if (!load->reads_buffer()) continue;
      const std::optional<int64_t> stride = Stride(load->indices[0], v);
      if (InAtom(load->indices[0], v) || !stride || *stride < 0 || *stride > 1) return false;
    }
  }
  return reduces;
}

// True if every store has stride 1 along the innermost loop.
bool RunsAlongRows(const Block& block) {
  return std::ranges::all_of(block.stores, [&](const loop::FlatStore& s) {
    return !InAtom(s.offset, block.loops.back()) && Stride(s.offset, block.loops.back()) == 1;
  });
}

class Join {
 public:
  Join(Arena& arena, Block& block, Block& next) : arena_(arena), block_(block), next_(next) {}

  bool Process() {
    if (!block_.domain.empty() || !next_.domain.empty() || !next_.row_stores.empty()) return false;
    if (block_.stores.size() + block_.row_stores.size() + next_.stores.size() > kMostStores) {
      return false;
    }
    MergeLoops(arena_, block_);
    MergeLoops(arena_, next_);
    const size_t mine = block_.loops.size(), its = next_.loops.size();
    const size_t rows = std::max(mine, its);
    if (rows < 2 || std::min(mine, its) + 1 < rows) return false;
    if (mine < its && !block_.row_stores.empty()) return false;
    const Block& longer = mine < its ? next_ : block_;
    const Variable* row = longer.loops.back();
    if (!RunsAlongRows(longer) || (mine == its && !RunsAlongRows(next_))) return false;
    const bool first = ReducesRows(block_, row->extent());
    const bool second = ReducesRows(next_, row->extent());
    // One number a row is worth a place beside the rows only if it takes a row to find it.
    if (mine == its ? !first && !second : !(mine < its ? first : second)) return false;
    if (!HasCommonLoops(std::min(mine, its)) || !SharesMemory()) return false;
    const auto values = ValuesOfLoads(row);
    if (!values) return false;
    for (loop::FlatStore& s : next_.stores) s.value = arena_.Substitute(s.value, {}, *values);
    Take(mine, its);
    return true;
  }

 private:
  // Gives the loops of `next` the variables of `block`, which must not be bound inside it.
  bool HasCommonLoops(size_t common) {
    std::vector<loop::Substitution> renamed;
    for (size_t i = 0; i < common; ++i) {
      const Variable* to = block_.loops[i];
      const Variable* from = next_.loops[i];
      if (!(to->extent() == from->extent())) return false;
      if (to != from) renamed.push_back({from, Index(to)});
    }
    if (renamed.empty()) return true;
    SubstituteVariables(arena_, next_, renamed);
    for (size_t i = 0; i < common; ++i) next_.loops[i] = block_.loops[i];
    return true;
  }

  bool SharesMemory() const {
    absl::flat_hash_set<int> touched;
    for (const Scalar* load : LoadsOf(block_.values())) {
      // What `next` writes is out of date for `block`.
      for (const loop::FlatStore& s : next_.stores) {
        if (s.buffer == load->buffer) return false;
      }
      if (load->kind == ScalarKind::kLoad) touched.insert(load->buffer);
    }
    for (const auto* list : {&block_.row_stores, &block_.stores}) {
      for (const loop::FlatStore& s : *list) touched.insert(s.buffer);
    }
    return std::ranges::any_of(LoadsOf(next_.values()),
                               [&](const Scalar* l) { return touched.contains(l->buffer); });
  }

  // The value that `store` gave the place which `load` reads, if both are in the same row.
  const Scalar* ValueAt(const loop::FlatStore& store, const Scalar* load, const Variable* row) {
    if (load->kind != ScalarKind::kLoad) return nullptr;
    if (store.offset == load->indices[0]) return store.value;
    // A sum for each element would be added up once more, perhaps in another order.
    const bool sums = std::ranges::any_of(PostOrder({&store.value, 1}), [&](const Scalar* s) {
      return s->kind == ScalarKind::kReduce && s->depends_on(row);
    });
    if (sums) return nullptr;
    for (const Variable* v : load->free) {
      if (!(v->extent() == row->extent()) || !IsSummedOnceARow(v, row)) continue;
      const loop::Substitution there{row, Index(v)};
      const std::span<const loop::Substitution> list(&there, 1);
      if (loop::Substitute(arena_, store.offset, list) == load->indices[0]) {
        return arena_.Substitute(store.value, list);
      }
    }
    return nullptr;
  }

  // Whether `next` reads along `v` before it stores anything in the row. What it sums for each
  // element it would read when others of the row are stored, perhaps in the memory of an argument
  // that their values read.
  bool IsSummedOnceARow(const Variable* v, const Variable* row) const {
    return std::ranges::none_of(PostOrder(next_.values()), [&](const Scalar* s) {
      return s->kind == ScalarKind::kReduce && Contains(s->variables, v) && s->depends_on(row);
    });
  }

  std::optional<absl::flat_hash_map<const Scalar*, const Scalar*>> ValuesOfLoads(
      const Variable* row) {
    absl::flat_hash_map<const Scalar*, const Scalar*> values;
    for (const Scalar* load : LoadsOf(next_.values())) {
      for (const loop::FlatStore* store : block_.all_stores()) {
        if (store->buffer != load->buffer) continue;
        const Scalar* value = ValueAt(*store, load, row);
        if (value == nullptr) return std::nullopt;
        values[load] = value;
      }
    }
    return values;
  }

  void Take(size_t mine, size_t its) {
    if (mine < its) {
      block_.row_stores = std::move(block_.stores);
      block_.stores = std::move(next_.stores);
      block_.loops = std::move(next_.loops);
      return;
    }
    auto& list = mine > its ? block_.row_stores : block_.stores;
    list.insert(list.end(), next_.stores.begin(), next_.stores.end());
  }

  Arena& arena_;
  Block& block_;
  Block& next_;
};

}  // namespace

bool JoinRows(Arena& arena, Block& block, Block& next) {
  return Join(arena, block, next).Process();
}

}  // namespace gradus::passes::scheduling
