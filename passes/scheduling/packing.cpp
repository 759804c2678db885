#include "passes/scheduling/packing.h"

#include <algorithm>
#include <utility>

#include "passes/scheduling/k_ranges.h"
#include "passes/scheduling/merge_loops.h"
#include "passes/scheduling/nests.h"
#include "passes/scheduling/tile_table.h"
#include "passes/scheduling/windows.h"

namespace gradus::passes::scheduling {
namespace {

constexpr int64_t kCacheLine = 64;
// Where rows of A have stride 1, a tile takes a line of A from each step of the sum. At multiples
// of 1 KiB these share so few cache sets that the next tile finds none of them (gradient of
// 3x3x512x512 over 32 images of 4x4, Zen 5: 10.3 ms with a line of padding, 12.3 without; of
// 3x3x256x256 over 8x8 9.7 and 10.2; at multiples of 512 bytes, no gain).
constexpr int64_t kAliasingSteps = 1024;

bool HasGuard(const Scalar* side) {
  const Scalar* const roots[] = {side};
  return std::ranges::any_of(PostOrder(roots),
                             [](const Scalar* s) { return s->kind == ScalarKind::kGuard; });
}

// How a side is packed, as printed.
std::string PackedHow(const Windowed& windowed) {
  if (windowed.places.empty()) return "pack";
  return HasGuard(windowed.scalar) ? "pack=halo" : "pack=window";
}

// What a step of `v` adds to a form, about: a quotient grows by a part of it.
double StepOf(const Index& form, const Variable* v) {
  double step = 0;
  for (const loop::Term& term : form.terms()) {
    if (term.variable == nullptr) continue;
    double times = static_cast<double>(std::abs(term.coefficient));
    if (!term.symbols.empty()) times *= 1e9;
    if (term.variable == v) {
      step += times;
    } else if (term.variable->kind() != Variable::Kind::kLoop) {
      const bool quotient = term.variable->kind() == Variable::Kind::kFloorDiv;
      step += times * StepOf(term.variable->numerator(), v) /
              (quotient ? static_cast<double>(term.variable->divisor()) : 1);
    }
  }
  return step;
}

bool HasUnitStride(const Scalar* side, const Variable* v) {
  const Scalar* const roots[] = {side};
  return std::ranges::all_of(PostOrder(roots), [&](const Scalar* s) {
    return s->kind != ScalarKind::kLoad || std::abs(Stride(s->indices[0], v).value_or(2)) <= 1;
  });
}

}  // namespace

void Pack(Planner& planner, Variables loops, const Planner::Laid& to, const Scalar* value,
          const char* purpose) {
  Block block;
  block.loops = std::move(loops);
  block.stores.push_back({to.buffer, to.offset, value});
  planner.plan.steps.emplace_back(
      MakeNest(planner.arena, std::move(block), planner.target, purpose));
}

Variables OwnOrder(const Scalar* side) {
  const Scalar* const roots[] = {side};
  absl::flat_hash_map<const Variable*, double> largest;
  for (const Scalar* s : PostOrder(roots)) {
    if (s->kind != ScalarKind::kLoad) continue;
    for (const Variable* v : side->free) {
      largest[v] = std::max(largest[v], StepOf(s->indices[0], v));
    }
  }
  Variables order(side->free.begin(), side->free.end());
  std::ranges::stable_sort(order, [&](const Variable* x, const Variable* y) {
    const bool x_number = x->extent().is_number(), y_number = y->extent().is_number();
    if (x_number != y_number) return y_number;
    return largest[x] > largest[y];
  });
  return order;
}

namespace {

struct Packed {
  Windowed windowed;
  Variables order;
  Planner::Laid laid;
  const Scalar* load;
};

// Scratch over the variables in their order. Rows, over the variables `row`, which are the last of
// them, are a cache line longer than they need be where they would else share cache sets, as at
// multiples of `aliasing` bytes.
Planner::Laid LayRows(Planner& planner, ir::DType dtype, const Variables& order,
                      const Variables& row, int64_t aliasing) {
  Variables rows = order, inner;
  int64_t elements = 1;
  while (!rows.empty() && Contains(row, rows.back()) && rows.back()->extent().is_number()) {
    elements *= rows.back()->extent().number();
    inner.insert(inner.begin(), rows.back());
    rows.pop_back();
  }
  const int64_t bytes = ir::ByteSize(dtype);
  if (rows.empty() || inner.empty() || elements == 0 || elements * bytes % aliasing != 0) {
    return planner.LayOut(dtype, order);
  }
  const Variable* padded = planner.arena.NewVariable("row", Extent(elements + kCacheLine / bytes));
  rows.push_back(padded);
  Planner::Laid laid = planner.LayOut(dtype, rows);
  Index at;
  for (const Variable* v : inner) at = at * v->extent().number() + Index(v);
  const loop::Substitution to{padded, at};
  laid.offset = loop::Substitute(planner.arena, laid.offset, std::span(&to, 1));
  return laid;
}

// Lays out a side in its own order, but with the variables `last` innermost.
Packed Lay(Planner& planner, ir::DType dtype, Windowed windowed, const Variables& last,
           int64_t aliasing) {
  Variables order = OwnOrder(windowed.scalar);
  std::ranges::stable_partition(order, [&](const Variable* v) { return !Contains(last, v); });
  const Planner::Laid laid = LayRows(planner, dtype, order, last, aliasing);
  const Index offset = loop::Substitute(planner.arena, laid.offset, windowed.places);
  const Scalar* load = planner.arena.Load(laid.buffer, dtype, std::span(&offset, 1));
  return {std::move(windowed), order, laid, load};
}

// A with a place for each place of its windows.
Packed LayWindows(Planner& planner, const Draft& draft) {
  Windowed windowed = FindWindows(planner.arena, draft.a, nullptr);
  Variables rows = OwnOrder(windowed.scalar);
  if (!rows.empty()) rows.erase(rows.begin(), rows.end() - 1);
  if (!std::ranges::all_of(rows, [&](const Variable* v) { return Contains(draft.m, v); })) {
    rows.clear();
  }
  // (A padded A is a kernel of another form than one that need not be.)
  const int64_t aliasing = planner.target.small_code ? kAliasingStride : kAliasingSteps;
  return Lay(planner, draft.dtype, std::move(windowed), rows, aliasing);
}

// True if tiles would have few rows, and B would be read from the second-level cache for each of
// them: a small image, whose rows are short and do not follow each other. Copying each window then
// costs less, since all positions are rows (3x3, 512 to 512 channels, Zen 5: one of 7x7, whose rows
// are 2 KiB apart, 1.38 ms, with windows 1.09), unless so many steps of the sums are left out
// without windows (32 images of 4x4: 8.3 ms, with windows 9.7).
bool WastesRows(const Planner& planner, Draft draft) {
  constexpr double kEnoughLeftOut = 0.1;
  constexpr double kVectorsOfWideTiles = 4, kEnoughColumns = 128;
  constexpr int64_t kFewRows = 4, kRowsOfWideTiles = 6;
  constexpr double kEnoughRows = 4.5;
  const double panel = Passes(draft.k) * kVectorsOfWideTiles * planner.target.vector_bytes;
  if (panel <= static_cast<double>(planner.target.l1_bytes) ||
      Passes(std::span(&draft.n.back(), 1)) < kEnoughColumns) {
    return false;
  }
  draft.MergeLoops(planner.arena);
  const Variable* const row = RowVariable(draft);
  const bool leaves_out = LeftOut(draft) >= kEnoughLeftOut;
  const bool known =
      std::ranges::all_of(draft.k, [](const Variable* v) { return v->extent().is_number(); });
  if (row == nullptr || !row->extent().is_number() || !known) return false;
  const int64_t rows = row->extent().number();
  if (Passes(draft.m) <= static_cast<double>(rows)) return false;
  const int64_t tiles = (rows + kRowsOfWideTiles - 1) / kRowsOfWideTiles;
  const int64_t apart = Stride(draft.a->indices[0], row).value_or(0) * ir::ByteSize(draft.dtype);
  if (rows <= kFewRows) return !leaves_out;
  return apart % kAliasingStride == 0 &&
         static_cast<double>(rows) < kEnoughRows * static_cast<double>(tiles);
}

}  // namespace

void ReadForwards(Arena& arena, Draft& draft) {
  for (const Variable* v : draft.k) {
    if (!v->extent().is_number()) continue;
    bool forwards = false, backwards = false;
    const Scalar* const roots[] = {draft.a};
    for (const Scalar* s : PostOrder(roots)) {
      if (s->kind != ScalarKind::kLoad) continue;
      const int64_t stride = Stride(s->indices[0], v).value_or(1);
      forwards |= stride > 0;
      backwards |= stride < 0;
    }
    if (forwards || !backwards) continue;
    const loop::Substitution turned{v, Index(v->extent().number() - 1) - Index(v)};
    draft.Substitute(arena, std::span(&turned, 1));
  }
}

void PackA(Planner& planner, Draft& draft) {
  Packed packed = LayWindows(planner, draft);
  const Scalar* const a = std::exchange(draft.a, packed.load);
  if (!packed.windowed.places.empty()) {
    draft.inside = ConditionsOfSteps(planner, draft, a);
    if (WastesRows(planner, draft)) {
      planner.plan.buffers.pop_back();
      packed = Lay(planner, draft.dtype, {a, {}}, draft.k, kAliasingStride);
      draft.inside.clear();
    }
  }
  Pack(planner, packed.order, packed.laid, packed.windowed.scalar, "pack A");
  draft.a = packed.load;
  draft.how_a = PackedHow(packed.windowed);
}

bool PackAInOrderOfB(Planner& planner, Draft& draft) {
  if (Passes(draft.m) >= Passes(draft.n)) return false;
  const auto is_number = [](const Variable* v) { return v->extent().is_number(); };
  if (!std::ranges::all_of(draft.m, is_number)) return false;
  Variables sums = OwnOrder(draft.b);
  std::erase_if(sums, [&](const Variable* v) { return !Contains(draft.k, v); });
  // The order of B's memory: from what lies inside no other, each followed by what it merges with.
  const Index form = draft.b->indices[0];
  const auto goes_before = [&](const Variable* p, const Variable* q) {
    return CanMerge(std::span(&form, 1), p, q);
  };
  Variables order;
  while (!sums.empty()) {
    const auto next = std::ranges::find_if(sums, [&](const Variable* v) {
      return order.empty()
                 ? std::ranges::none_of(
                       sums, [&](const Variable* p) { return p != v && goes_before(p, v); })
                 : goes_before(order.back(), v);
    });
    if (next == sums.end()) return false;
    order.push_back(*next);
    sums.erase(next);
  }
  if (order.empty() || !Stride(form, order.back())) return false;
  Variables all = OwnOrder(draft.a);
  std::erase_if(all, [&](const Variable* v) { return Contains(order, v); });
  const auto rows =
      std::ranges::stable_partition(all, [&](const Variable* v) { return !Contains(draft.m, v); });
  all.insert(rows.begin(), order.begin(), order.end());
  const Planner::Laid laid = LayRows(planner, draft.dtype, all, draft.m, kAliasingSteps);
  Pack(planner, all, laid, draft.a, "pack A");
  draft.a = planner.arena.Load(laid.buffer, draft.dtype, std::span(&laid.offset, 1));
  draft.how_a = "pack";
  draft.MergeLoops(planner.arena);
  return true;
}

void PackB(Planner& planner, Draft& draft) {
  const Variable* const n = draft.n.back();
  const bool transposed = !HasUnitStride(draft.b, n);
  // [batch and other columns][k][n]: n last, so that it has stride 1. Rows of an odd number of
  // cache lines, since the stores of a transposition would else fall into few cache sets.
  const Windowed windowed = FindWindows(planner.arena, draft.b, n);
  Variables order = OwnOrder(windowed.scalar);
  std::erase(order, n);
  std::ranges::stable_partition(order, [&](const Variable* v) { return !Contains(draft.k, v); });
  Variables rows = order;
  order.push_back(n);
  Planner::Laid laid;
  const int64_t per_line = kCacheLine / ir::ByteSize(draft.dtype);
  const int64_t lines = n->extent().is_number() ? n->extent().number() / per_line : 0;
  if (lines >= 2 && n->extent().number() % per_line == 0 && lines % 2 == 0) {
    const Variable* padded = planner.arena.NewVariable("row", Extent((lines + 1) * per_line));
    rows.push_back(padded);
    laid = planner.LayOut(draft.dtype, rows);
    const loop::Substitution to_n{padded, Index(n)};
    laid.offset = loop::Substitute(planner.arena, laid.offset, std::span(&to_n, 1));
  } else {
    laid = planner.LayOut(draft.dtype, order);
  }
  Pack(planner, order, laid, windowed.scalar, transposed ? "transpose B" : "pack B");
  const Index offset = loop::Substitute(planner.arena, laid.offset, windowed.places);
  draft.b = planner.arena.Load(laid.buffer, draft.dtype, std::span(&offset, 1));
  draft.how_b = transposed ? std::string(kTransposed) : PackedHow(windowed);
}

}  // namespace gradus::passes::scheduling
