#include "passes/scheduling/spread_sum.h"

#include <algorithm>
#include <cmath>

#include "passes/scheduling/packing.h"
#include "passes/scheduling/windows.h"

namespace gradus::passes::scheduling {
namespace {

// In multiplications of a vector: what storing a vector of parts costs, and adding up one part.
// (32 images of 14x14x6 from 10x10x16 by 5x5, f32, Zen 5: 0.36 ms as it is.)
constexpr double kStore = 4, kAdd = 4;
// How many times as much work it must save.
constexpr double kGain = 1.25;

double Extents(const Variable* v) { return static_cast<double>(v->extent().number()); }

// A variable of m and one of k that are a window of A.
struct Candidate {
  const Variable* position = nullptr;
  const Variable* k = nullptr;
  Windowed a;
  double work = 0;
};

// Work of the product as it is: vectors multiplied.
double WorkOf(const Draft& draft, double lanes) {
  return Passes(draft.m) * Passes(draft.k) * std::ceil(Passes(draft.n) / lanes);
}

double WorkOf(const Draft& draft, const Candidate& c, double lanes) {
  const double places = Extents(c.a.places.front().from) * Passes(draft.m) / Extents(c.position);
  const double vectors = std::ceil(Extents(c.k) * Passes(draft.n) / lanes);
  return places * vectors * (Passes(draft.k) / Extents(c.k) + kStore) +
         Passes(draft.m) * Extents(c.k) * kAdd;
}

std::optional<Candidate> Cheapest(Arena& arena, const Draft& draft, double lanes) {
  std::optional<Candidate> best;
  for (const Variable* position : draft.m) {
    for (const Variable* k : draft.k) {
      if (draft.a->depends_on(position) != draft.a->depends_on(k)) continue;
      std::optional<Windowed> a = FindWindow(arena, draft.a, position, k);
      if (!a) continue;
      Candidate c{position, k, *std::move(a), 0};
      c.work = WorkOf(draft, c, lanes);
      if (!best || c.work < best->work) best = std::move(c);
    }
  }
  return best;
}

}  // namespace

std::optional<Staged> SpreadOverColumns(Planner& planner, const Draft& draft) {
  Arena& arena = planner.arena;
  const int64_t lanes = planner.target.lanes(static_cast<int>(ir::ByteSize(draft.dtype)));
  if (!draft.batch.empty() || draft.n.size() != 1 || draft.k.size() < 2 ||
      !draft.n[0]->extent().is_number() || draft.n[0]->extent().number() >= lanes) {
    return std::nullopt;
  }
  const std::optional<Candidate> c = Cheapest(arena, draft, static_cast<double>(lanes));
  if (!c || c->work * kGain > WorkOf(draft, static_cast<double>(lanes))) return std::nullopt;
  const Variable* const n = draft.n[0];
  const loop::Substitution& place = c->a.places.front();

  // B: [other k][k][n].
  Variables b_order = OwnOrder(draft.b);
  std::erase_if(b_order, [&](const Variable* v) { return v == c->k || v == n; });
  b_order.push_back(c->k);
  b_order.push_back(n);
  const Planner::Laid b = planner.LayOut(draft.dtype, b_order);
  Pack(planner, b_order, b, draft.b, "pack B");

  // Parts: [m, with places][k][n], in whole vectors.
  Variables rows = draft.m;
  std::ranges::replace(rows, c->position, place.from);
  Variables order = rows;
  std::ranges::stable_partition(order, [](const Variable* v) { return !v->extent().is_number(); });
  const Index column = Index(c->k) * n->extent().number() + Index(n);
  const int64_t columns = c->k->extent().number() * n->extent().number();
  const Variable* row = arena.NewVariable("row", Extent((columns + lanes - 1) / lanes * lanes));
  order.push_back(row);
  const Planner::Laid parts = planner.LayOut(draft.dtype, order);
  const loop::Substitution to_column{row, column};
  const Index part = loop::Substitute(arena, parts.offset, std::span(&to_column, 1));

  Draft product = draft;
  product.m = std::move(rows);
  std::erase(product.k, c->k);
  product.n = {c->k, n};
  product.a = c->a.scalar;
  product.b = arena.Load(b.buffer, draft.dtype, std::span(&b.offset, 1));
  product.how_b = "pack=spread";
  product.epilogue = {{parts.buffer, part, arena.Acc(draft.dtype, 0)}};
  product.MergeLoops(arena);

  const loop::Substitution at_place{place.from, place.to};
  const Index read = loop::Substitute(arena, part, std::span(&at_place, 1));
  const loop::Condition is_place{Index(0), place.to, Index(place.from->extent().number())};
  const Scalar* sum = arena.Guard(std::span(&is_place, 1),
                                  arena.Load(parts.buffer, draft.dtype, std::span(&read, 1)));
  sum = arena.Reduce(loop::ReduceKind::kSum, std::span(&c->k, 1), sum);
  return Staged{std::move(product), StoresOver(arena, draft, sum)};
}

}  // namespace gradus::passes::scheduling
