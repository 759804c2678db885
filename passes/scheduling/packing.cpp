#include "passes/scheduling/packing.h"

#include <algorithm>

#include "passes/scheduling/nests.h"

namespace gradus::passes::scheduling {
namespace {

constexpr int64_t kCacheLine = 64;

void Emit(Planner& planner, Variables loops, int buffer, const Index& offset, const Scalar* value,
          const char* purpose) {
  Block block;
  block.loops = std::move(loops);
  block.stores.push_back({buffer, offset, value});
  planner.plan.steps.emplace_back(
      MakeNest(planner.arena, std::move(block), planner.target, purpose));
}

bool HasUnitStride(const Scalar* side, const Variable* v) {
  const Scalar* const roots[] = {side};
  return std::ranges::all_of(PostOrder(roots), [&](const Scalar* s) {
    return s->kind != ScalarKind::kLoad || std::abs(Stride(s->indices[0], v).value_or(2)) <= 1;
  });
}

}  // namespace

Variables OwnOrder(const Scalar* side) {
  const Scalar* const roots[] = {side};
  absl::flat_hash_map<const Variable*, int64_t> largest;
  for (const Scalar* s : PostOrder(roots)) {
    if (s->kind != ScalarKind::kLoad) continue;
    for (const Variable* v : side->free) {
      largest[v] = std::max(largest[v], std::abs(Stride(s->indices[0], v).value_or(INT64_MAX)));
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

void PackA(Planner& planner, Draft& draft) {
  const Variables order = OwnOrder(draft.a);
  const Planner::Laid laid = planner.LayOut(draft.dtype, order);
  Emit(planner, order, laid.buffer, laid.offset, draft.a, "pack A");
  draft.a = planner.arena.Load(laid.buffer, draft.dtype, std::span(&laid.offset, 1));
  draft.how_a = "pack";
}

void PackB(Planner& planner, Draft& draft) {
  const Variable* const n = draft.n.back();
  const bool transposed = !HasUnitStride(draft.b, n);
  // [batch and other columns][k][n]: n last, so that it has stride 1. Rows of an odd number of
  // cache lines, since the stores of a transposition would else fall into few cache sets.
  Variables order = OwnOrder(draft.b);
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
  Emit(planner, order, laid.buffer, laid.offset, draft.b, transposed ? "transpose B" : "pack B");
  draft.b = planner.arena.Load(laid.buffer, draft.dtype, std::span(&laid.offset, 1));
  draft.how_b = transposed ? "pack=transpose" : "pack";
}

}  // namespace gradus::passes::scheduling
