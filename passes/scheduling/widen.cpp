#include "passes/scheduling/widen.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "passes/scheduling/merge_loops.h"
#include "passes/scheduling/packing.h"
#include "passes/scheduling/windows.h"

namespace gradus::passes::scheduling {
namespace {

// In multiplications of a vector: copying one. 32 images of 28x28 by 5x5 to 6 channels, f32, on
// Zen 5, before and after: 89 and 51 us; the kernel's gradient 125 and 55.
constexpr double kCopy = 4;
// How many times as much work it must save.
constexpr double kGain = 1.25;
// Sums side by side that hide the latency of additions.
constexpr double kEnoughSums = 8;
// Of a tile.
constexpr int64_t kMostVectors = 4;

int64_t Number(const Variable* v) { return v->extent().number(); }

struct Candidate {
  const Variable* row = nullptr;
  const Variable* k = nullptr;
  int64_t length = 0;       // L
  bool each_place = false;  // B as [u][l][j]
  double work = 0;
};

// Vectors multiplied by tiles along the longest of the rows, of which there are so many.
double WorkOf(double rows, double longest, double columns, double terms, double lanes) {
  const double vectors = std::ceil(columns / lanes);
  return rows * vectors * terms * std::max(1.0, kEnoughSums / (longest * vectors));
}

double Longest(std::span<const Variable* const> rows, const Variable* but) {
  double longest = 1;
  for (const Variable* v : rows) {
    if (v != but) longest = std::max(longest, Passes(std::span(&v, 1)));
  }
  return longest;
}

double WorkOf(const Draft& draft, double lanes) {
  return WorkOf(Passes(draft.m), Longest(draft.m, nullptr), Passes(draft.n), Passes(draft.k),
                lanes);
}

// What the stores load by column alone (a bias).
std::vector<const Scalar*> ByColumn(const Draft& draft) {
  std::vector<const Scalar*> roots, found;
  for (const loop::FlatStore& store : draft.epilogue) roots.push_back(store.value);
  for (const Scalar* s : PostOrder(roots)) {
    if (s->kind == ScalarKind::kLoad && s->free.size() == 1 && s->free[0] == draft.n[0]) {
      found.push_back(s);
    }
  }
  return found;
}

// True if neighbouring rows are neighbouring columns to the stores, and to what they evaluate but
// loads by column alone.
bool StoresNeighbours(const Draft& draft, const Variable* row) {
  std::vector<Index> forms;
  std::vector<const Scalar*> roots;
  for (const loop::FlatStore& store : draft.epilogue) {
    forms.push_back(store.offset);
    roots.push_back(store.value);
  }
  const std::vector<const Scalar*> by_column = ByColumn(draft);
  for (const Scalar* s : PostOrder(roots)) {
    if (std::ranges::find(by_column, s) != by_column.end()) continue;
    ForEachForm(*s, [&](const Index& form) { forms.push_back(form); });
  }
  return CanMerge(forms, row, draft.n[0]);
}

// The cheapest of the lengths into which the row can be cut, appended to the list.
void AddCandidates(Arena& arena, const Draft& draft, const Variable* row, const Variable* k,
                   int64_t lanes, std::vector<Candidate>& list) {
  if (!draft.a->depends_on(row) || !draft.a->depends_on(k)) return;
  const std::optional<Windowed> a = FindWindow(arena, draft.a, row, k);
  if (!a) return;
  const Index& place = a->places.front().to;
  if (std::abs(Stride(place, row).value_or(0)) != 1 ||
      std::abs(Stride(place, k).value_or(0)) != 1) {
    return;
  }
  const auto real_lanes = static_cast<double>(lanes);
  const double columns = Passes(draft.n), rows = Passes(draft.m);
  const double terms = Passes(draft.k) / static_cast<double>(Number(k));
  const bool neighbours = StoresNeighbours(draft, row);
  for (int64_t length = 2; length <= Number(row); ++length) {
    if (Number(row) % length != 0 || length * Number(draft.n[0]) > kMostVectors * lanes) continue;
    const bool whole = length == Number(row);
    const auto l = static_cast<double>(length);
    const auto places =
        static_cast<double>(whole ? Number(a->places.front().from) : length + Number(k) - 1);
    const double longest = std::max(Longest(draft.m, row), static_cast<double>(Number(row)) / l);
    const double vectors = columns / real_lanes;
    const double copied = static_cast<double>(Number(k) + 2 * length) * terms * vectors;
    Candidate c{row, k, length, false, 0};
    c.work = kCopy * (copied + 2 * rows * vectors);
    const double each_place = kCopy * terms * places * l * vectors;
    if (neighbours && each_place < c.work) {
      c.work = each_place;
      c.each_place = true;
    }
    c.work += WorkOf(rows / l, longest, l * columns, terms * places, real_lanes);
    list.push_back(c);
  }
}

std::optional<Candidate> Cheapest(Arena& arena, const Draft& draft, int64_t lanes) {
  std::vector<Candidate> list;
  for (const Variable* row : draft.m) {
    for (const Variable* k : draft.k) {
      if (row->extent().is_number() && k->extent().is_number()) {
        AddCandidates(arena, draft, row, k, lanes, list);
      }
    }
  }
  // The last of equals: its rows are closest together.
  const auto best = std::ranges::min_element(list.rbegin(), list.rend(), {}, &Candidate::work);
  if (best == list.rend()) return std::nullopt;
  return *best;
}

// Scratch for a side as [other k][first][second], with `value` in it.
Planner::Laid PackBeside(Planner& planner, const Draft& draft, const Variable* k,
                         Variables innermost, const Scalar* value) {
  Variables order = OwnOrder(draft.b);
  std::erase_if(order, [&](const Variable* v) { return v == k || v == draft.n.back(); });
  order.insert(order.end(), innermost.begin(), innermost.end());
  const Planner::Laid laid = planner.LayOut(draft.dtype, order);
  Pack(planner, order, laid, value, "pack B");
  return laid;
}

// B where k is `at`, a form over other variables; 0 where that lies outside.
const Scalar* Elsewhere(Arena& arena, const Draft& draft, const Variable* k, const Index& at) {
  const loop::Substitution moved{k, at};
  const loop::Condition is_inside{Index(0), at, Index(Number(k))};
  return arena.Guard(std::span(&is_inside, 1), arena.Substitute(draft.b, std::span(&moved, 1)));
}

// B as [u][l][j], and so what is known by column alone.
void LayOutEachPlace(Planner& planner, const Variable* k, const Variable* along, const Index& at,
                     Draft& product) {
  Arena& arena = planner.arena;
  const Variable* const l = product.n[0];
  const Variable* const n = product.n[1];
  const Planner::Laid b =
      PackBeside(planner, product, k, {along, l, n}, Elsewhere(arena, product, k, at));
  product.b = arena.Load(b.buffer, product.dtype, std::span(&b.offset, 1));
  Draft by_n = product;
  by_n.n = {n};
  absl::flat_hash_map<const Scalar*, const Scalar*> spread;
  for (const Scalar* s : ByColumn(by_n)) {
    const Planner::Laid laid = planner.LayOut(s->dtype, product.n);
    Pack(planner, product.n, laid, s, "pack columns");
    spread[s] = arena.Load(laid.buffer, s->dtype, std::span(&laid.offset, 1));
  }
  for (loop::FlatStore& store : product.epilogue) {
    ReplaceScalars(store, [&](const Scalar* s) { return arena.Substitute(s, {}, spread); });
  }
}

// B with zeros around it; the sums into scratch. What the sum is: a load of that.
const Scalar* LayOutOnce(Planner& planner, const Variable* k, const Index& at, Draft& product) {
  Arena& arena = planner.arena;
  const Variable* const l = product.n[0];
  const Variable* const n = product.n[1];
  const loop::Bounds range = loop::Range(at);
  const Index low(*range.low);
  const Variable* const along =
      arena.NewVariable(k->name() + "w", Extent(*range.high - *range.low + 1));
  const Planner::Laid b =
      PackBeside(planner, product, k, {along, n}, Elsewhere(arena, product, k, Index(along) + low));
  // Columns in the order in which B has them.
  const Variable* const column = arena.NewVariable(l->name() + "c", l->extent());
  const auto turned = [&](const Variable* v) {
    return Stride(at, l) < 0 ? Index(Number(l) - 1) - Index(v) : Index(v);
  };
  const loop::Substitution to_column{l, turned(column)}, from_column{column, turned(l)};
  const loop::Substitution to_place{along,
                                    loop::Substitute(arena, at, std::span(&to_column, 1)) - low};
  const Index b_offset = loop::Substitute(arena, b.offset, std::span(&to_place, 1));
  product.b = arena.Load(b.buffer, product.dtype, std::span(&b_offset, 1));
  product.n = {column, n};

  Variables order = product.m;
  std::ranges::stable_partition(order, [](const Variable* v) { return !v->extent().is_number(); });
  order.insert(order.end(), product.n.begin(), product.n.end());
  const Planner::Laid sums = planner.LayOut(product.dtype, order);
  product.epilogue = {{sums.buffer, sums.offset, arena.Acc(product.dtype, 0)}};
  const Index read = loop::Substitute(arena, sums.offset, std::span(&from_column, 1));
  return arena.Load(sums.buffer, product.dtype, std::span(&read, 1));
}

}  // namespace

std::optional<Staged> WidenColumns(Planner& planner, const Draft& draft) {
  Arena& arena = planner.arena;
  const int64_t lanes = planner.target.lanes(static_cast<int>(ir::ByteSize(draft.dtype)));
  if (!draft.batch.empty() || draft.n.size() != 1 || !draft.n[0]->extent().is_number() ||
      Number(draft.n[0]) >= lanes) {
    return std::nullopt;
  }
  const std::optional<Candidate> c = Cheapest(arena, draft, lanes);
  if (!c || c->work * kGain > WorkOf(draft, static_cast<double>(lanes))) return std::nullopt;

  Draft product = draft;
  const Variable* l = c->row;
  if (c->length == Number(c->row)) {
    std::erase(product.m, c->row);
  } else {
    const Variable* const h =
        arena.NewVariable(c->row->name() + "h", Extent(Number(c->row) / c->length));
    l = arena.NewVariable(c->row->name() + "l", Extent(c->length));
    const loop::Substitution cut{c->row, Index(h) * c->length + Index(l)};
    product.Substitute(arena, std::span(&cut, 1));
    std::ranges::replace(product.m, c->row, h);
  }
  product.n = {l, draft.n[0]};
  const std::optional<Windowed> a = FindWindow(arena, product.a, l, c->k);
  if (!a) return std::nullopt;
  const auto& [along, place] = a->places.front();
  product.a = a->scalar;
  product.how_b = "pack=wide";
  std::ranges::replace(product.k, c->k, along);
  // place = of_k * k + the rest
  const int64_t of_k = *Stride(place, c->k);
  const Index at = (Index(along) - (place - Index(c->k) * of_k)) * of_k;
  if (c->each_place) {
    LayOutEachPlace(planner, c->k, along, at, product);
    product.MergeLoops(arena);
    return Staged{std::move(product), std::nullopt};
  }
  const Draft stores = product;
  const Scalar* const sum = LayOutOnce(planner, c->k, at, product);
  product.MergeLoops(arena);
  return Staged{std::move(product), StoresOver(arena, stores, sum)};
}

}  // namespace gradus::passes::scheduling
