#include "passes/scheduling/draft.h"

#include <algorithm>

#include "fmt/format.h"
#include "ir/check.h"
#include "passes/scheduling/k_ranges.h"
#include "passes/scheduling/merge_loops.h"
#include "passes/scheduling/tile_table.h"

namespace gradus::passes::scheduling {

int Planner::NewScratch(ir::DType dtype, absl::InlinedVector<Extent, 2> elements) {
  loop::Buffer buffer;
  buffer.name = fmt::format("t{}", plan.buffers.size());
  buffer.type.dtype = dtype;
  buffer.kind = loop::Buffer::Kind::kScratch;
  buffer.elements = std::move(elements);
  plan.buffers.push_back(std::move(buffer));
  return static_cast<int>(plan.buffers.size()) - 1;
}

Choice Planner::choice() const {
  const auto number =
      static_cast<size_t>(std::ranges::count_if(plan.steps, [](const loop::Step& s) {
        return std::holds_alternative<loop::Contraction>(s);
      }));
  return number < choices.size() ? choices[number] : Choice();
}

Planner::Laid Planner::LayOut(ir::DType dtype, std::span<const Variable* const> variables) {
  // Row-major: the stride of a variable is the product of the extents inside it, none of which may
  // be a quotient.
  Index offset;
  Extent stride(1);
  absl::InlinedVector<Extent, 2> elements;
  for (size_t i = variables.size(); i-- > 0;) {
    offset = offset + Index(variables[i]).Times(stride);
    const Extent& extent = variables[i]->extent();
    if (extent.divisor == 1) {
      stride = stride * extent;
    } else {
      IR_CHECK_MSG(i == 0, "a quotient as an inner extent");
      elements.push_back(extent);
    }
  }
  elements.insert(elements.begin(), stride);
  return {NewScratch(dtype, std::move(elements)), offset};
}

std::vector<Index> Draft::forms() const {
  std::vector<Index> list;
  std::vector<const Scalar*> roots = {a, b};
  for (const loop::FlatStore& store : epilogue) {
    list.push_back(store.offset);
    roots.push_back(store.value);
  }
  for (const Scalar* s : PostOrder(roots)) {
    ForEachForm(*s, [&](const Index& form) { list.push_back(form); });
  }
  for (const loop::Condition& c : inside) list.push_back(c.form);
  return list;
}

void Draft::Substitute(Arena& arena, std::span<const loop::Substitution> list) {
  a = arena.Substitute(a, list);
  b = arena.Substitute(b, list);
  for (loop::FlatStore& store : epilogue) {
    store.offset = loop::Substitute(arena, store.offset, list);
    store.value = arena.Substitute(store.value, list);
  }
  for (loop::Condition& c : inside) c.form = loop::Substitute(arena, c.form, list);
}

void Draft::MergeLoops(Arena& arena) {
  // Sums have no order of their own: by the larger of their strides in the two sides.
  const auto stride = [&](const Variable* v) {
    int64_t largest = 0;
    const Scalar* const roots[] = {a, b};
    for (const Scalar* s : PostOrder(roots)) {
      if (s->kind != ScalarKind::kLoad) continue;
      largest = std::max(largest, std::abs(Stride(s->indices[0], v).value_or(INT64_MAX)));
    }
    return largest;
  };
  std::ranges::stable_sort(
      k, [&](const Variable* x, const Variable* y) { return stride(x) > stride(y); });
  for (Variables* list : {&batch, &m, &n, &k}) {
    std::vector<Index> all = forms();
    for (const Merge& merge : MergeAdjacent(arena, *list, all)) Substitute(arena, merge);
  }
}

Block StoresOver(Arena& arena, const Draft& draft, const Scalar* sum) {
  Block block;
  block.loops = draft.m;
  block.loops.insert(block.loops.end(), draft.n.begin(), draft.n.end());
  const Scalar* const acc = arena.Acc(draft.dtype, 0);
  for (const loop::FlatStore& store : draft.epilogue) {
    block.stores.push_back(
        {store.buffer, store.offset, arena.Substitute(store.value, {}, {{acc, sum}})});
  }
  return block;
}

bool IsDirect(const Scalar* side, ir::DType dtype, std::span<const Variable* const> variables) {
  return side->kind == ScalarKind::kLoad && side->dtype == dtype && IsAffine(side->indices[0]) &&
         std::ranges::all_of(
             variables, [&](const Variable* v) { return Stride(side->indices[0], v).has_value(); });
}

namespace {

// In registers an epilogue is written out for each vector of a tile, once in the function of each
// number of rows: code that takes long to compile. Of a dropout's mask (ten rounds of Philox) that
// was two thirds of the instructions of a small network's training step, 13,200 of 20,300.
constexpr int kFewOps = 8;
constexpr int kSmallTile = 16, kMostOps = 48;  // vectors; operations

int64_t Number(const Variable* v) { return v->extent().is_number() ? v->extent().number() : 0; }

int ScalarOps(const std::vector<loop::FlatStore>& stores) {
  std::vector<const Scalar*> roots;
  for (const loop::FlatStore& s : stores) roots.push_back(s.value);
  int ops = 0;
  for (const Scalar* s : PostOrder(roots)) {
    ops += s->kind != ScalarKind::kConst && s->kind != ScalarKind::kLoad &&
           s->kind != ScalarKind::kAcc;
  }
  return ops;
}

}  // namespace

const Variable* RowVariable(const Draft& draft) {
  // So many rows of a tile hide the loads of B behind their multiplications.
  constexpr int64_t kEnoughRows = 4;
  const std::vector<Index> forms = draft.forms();
  const Variable* row = nullptr;
  for (size_t i = draft.m.size(); i-- > 0;) {
    const Variable* v = draft.m[i];
    if (!std::ranges::all_of(forms, [&](const Index& f) { return Stride(f, v).has_value(); })) {
      continue;
    }
    if (row == nullptr ||
        (Number(row) < kEnoughRows && Passes(std::span(&v, 1)) > 2 * Passes(std::span(&row, 1)))) {
      row = v;
    }
  }
  return row;
}

// A result this large comes from memory for its update, and goes back: fetched before the sum
// (17408x256 of sums over 16, Adam, on Zen 5: 3.3 ms instead of 5.4).
constexpr int64_t kStreamedOutput = int64_t{8} << 20;
// Past the first cache and within the last, what the epilogue reads and writes is fetched before a
// sum that is long enough for it to arrive (Zen 5: a transformer's step 24.2 -> 23.2 ms, Conv1D 32
// to 512 16.8 -> 15.9; sums over 32, 784-512-512-10: 0.51 -> 0.52; results of 34 MB, no gain), a
// shorter one if it reads an element for each result (sums over 64 of 128x128 that are scaled:
// 0.67 -> 0.43).
constexpr double kCoversFetch = 128, kCoversReading = 64;

// Whether the epilogue loads what lies along rows and columns.
bool ReadsEach(const loop::Contraction& c) {
  std::vector<const Scalar*> values;
  for (const loop::FlatStore& s : c.epilogue) values.push_back(s.value);
  return std::ranges::any_of(PostOrder(values), [&](const Scalar* s) {
    return s->kind == ScalarKind::kLoad && s->depends_on(c.m.back()) && s->depends_on(c.n);
  });
}

bool FetchesEpilogue(const loop::Contraction& c, const TileQuery& query, const ir::Target& target) {
  const double covers = ReadsEach(c) ? kCoversReading : kCoversFetch;
  if (query.typical_k >= covers && query.output_bytes > target.l1_bytes &&
      query.output_bytes <= target.l3_bytes) {
    return true;
  }
  return c.order == loop::Contraction::Order::kRowsOuter && query.output_bytes > kStreamedOutput;
}

std::optional<loop::Contraction> Finish(const Planner& planner, Draft draft, std::string& why_not) {
  for (Variables* list : {&draft.batch, &draft.m, &draft.k}) {
    for (size_t i = list->size(); i-- > 0;) {
      const Extent& extent = (*list)[i]->extent();
      if (!extent.is_number() || extent.number() != 1 || (list == &draft.k && list->size() == 1))
        continue;
      const loop::Substitution zero{(*list)[i], Index(0)};
      draft.Substitute(planner.arena, std::span(&zero, 1));
      list->erase(list->begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  draft.MergeLoops(planner.arena);
  if (draft.m.empty()) draft.m.push_back(planner.arena.NewVariable("one", Extent(1)));

  const std::vector<Index> forms = draft.forms();
  const auto has_numeric_strides = [&](const Variable* v) {
    return std::ranges::all_of(forms, [&](const Index& f) { return Stride(f, v).has_value(); });
  };
  const Variable* const rows = RowVariable(draft);
  if (rows == nullptr) {
    why_not = "no row variable has strides that are numbers";
    return std::nullopt;
  }
  std::erase(draft.m, rows);
  draft.m.push_back(rows);

  const Variable* const n = draft.n.back();
  draft.n.pop_back();  // what cannot merge with n goes round as batch: A does not vary with it
  draft.batch.insert(draft.batch.end(), draft.n.begin(), draft.n.end());
  for (const Variable* v : {rows, n}) {
    if (!has_numeric_strides(v)) why_not = fmt::format("a stride of {} is not a number", v->name());
  }
  for (const Variable* v : draft.k) {
    if (!has_numeric_strides(v)) why_not = fmt::format("a stride of {} is not a number", v->name());
  }
  if (!n->extent().is_number())
    why_not = fmt::format("the extent of {} is not a number", n->name());
  if (!why_not.empty()) return std::nullopt;

  loop::Contraction c;
  c.batch = draft.batch;
  c.m = draft.m;
  c.n = n;
  c.k = draft.k;
  c.k_ranges = RangesOf(planner.arena, draft, rows);
  c.dtype = draft.dtype;
  c.a = {draft.a->buffer, draft.a->indices[0], draft.how_a};
  c.b = {draft.b->buffer, draft.b->indices[0], draft.how_b};
  c.epilogue = draft.epilogue;

  TileQuery query;
  query.element_bytes = static_cast<int>(ir::ByteSize(c.dtype));
  query.m = Number(rows);
  query.n = Number(n);
  query.k = 1;
  for (const Variable* v : c.k) query.k *= Number(v);
  query.typical_k = Passes(c.k);
  query.a_row_stride_bytes = std::abs(Stride(c.a.offset, rows).value_or(0)) * query.element_bytes;
  query.output_bytes =
      static_cast<int64_t>(Passes(c.m) * Passes(std::span(&n, 1))) * query.element_bytes;
  const TileChoice tile = ChooseTile(query, planner.target, planner.choice());
  c.tile_rows = tile.rows;
  c.tile_vectors = tile.vectors;
  c.order = tile.order;
  c.k_unroll = tile.k_unroll;
  if (c.m.size() == 1 && Stride(c.b.offset, n) == 1) c.one_row_vectors = tile.one_row_vectors;
  c.rule = tile.rule;
  c.rows_balanced = true;
  c.prefetch_epilogue = FetchesEpilogue(c, query, planner.target);
  const int ops = ScalarOps(c.epilogue);
  c.epilogue_in_registers =
      ops <= kFewOps || (tile.rows * tile.vectors <= kSmallTile && ops <= kMostOps);
  return c;
}

}  // namespace gradus::passes::scheduling
