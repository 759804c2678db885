#include "passes/scheduling/role_swap.h"

#include <algorithm>

#include "passes/scheduling/nests.h"
#include "passes/scheduling/packing.h"

namespace gradus::passes::scheduling {
namespace {

// How many rows of A stand side by side in a vector panel: two vectors (784x32x512 on Zen 5: 235
// GFLOP/s for 8x32, 201 for 16x16), as many as a tile that was chosen has, one where a second would
// be padding alone. One in a loop over time, too: threads share it by rows of the batch, of which a
// panel is the least.
int64_t PanelWidth(const Planner& planner, const Variable* m, int64_t lanes) {
  if (const std::optional<Choice::Tile> tile = planner.choice().tile) return tile->vectors * lanes;
  const bool one = m->extent().is_number() ? m->extent().number() <= lanes : planner.in_loop;
  return one ? lanes : 2 * lanes;
}

}  // namespace

std::optional<SwapCost> CostOfSwap(const Draft& draft, const ir::Target& target) {
  Variables sides = draft.k;
  sides.push_back(draft.n.back());
  if (!draft.batch.empty() || draft.m.size() != 1 || draft.n.size() != 1 ||
      draft.m[0]->extent().divisor != 1 || !IsDirect(draft.b, draft.dtype, sides)) {
    return std::nullopt;
  }
  const double m = Passes(draft.m), n = Passes(draft.n), k = Passes(draft.k);
  const bool packs_a = draft.a->kind != ScalarKind::kLoad;
  // 32x529920x64 on Zen 5: 60 ms with B transposed, 18 with roles swapped (Granite Rapids 121, 31).
  const double size = n * k * static_cast<double>(ir::ByteSize(draft.dtype));
  const int64_t near = target.far_caches ? target.l2_bytes : target.l3_bytes;
  const double moves = size > static_cast<double>(near) ? 2 : 1;
  return SwapCost{m * k + 2 * m * n, moves * n * k + (packs_a ? m * k : 0)};
}

bool SwapRoles(Planner& planner, const Draft& draft, std::string& why_not) {
  Arena& arena = planner.arena;
  const Variable* const m = draft.m[0];
  const Variable* const n = draft.n[0];
  const int64_t lanes = planner.target.lanes(static_cast<int>(ir::ByteSize(draft.dtype)));
  const int64_t width = PanelWidth(planner, m, lanes);
  const Variable* const mb = arena.NewVariable(m->name() + "b", loop::CeilDiv(m->extent(), width));
  const Variable* const ml = arena.NewVariable(m->name() + "l", Extent(width));
  const Index row = Index(mb) * width + Index(ml);
  const loop::Substitution split{m, row};
  std::vector<loop::Condition> domain;
  if (!m->extent().is_number() || m->extent().number() % width != 0) {
    domain.push_back({Index(0), row, Index::Of(m->extent())});
  }

  Variables panel = {mb};
  for (const Variable* v : OwnOrder(draft.a)) {
    if (v != m) panel.push_back(v);
  }
  panel.push_back(ml);
  const Planner::Laid packed = planner.LayOut(draft.dtype, panel);
  const Variables staged_loops = {mb, n, ml};
  const Planner::Laid staged = planner.LayOut(draft.dtype, staged_loops);

  Draft swapped;
  swapped.batch = {mb};
  swapped.m = {n};
  swapped.n = {ml};
  swapped.k = draft.k;
  swapped.dtype = draft.dtype;
  swapped.a = draft.b;
  swapped.b = arena.Load(packed.buffer, draft.dtype, std::span(&packed.offset, 1));
  swapped.how_a = "direct";
  swapped.how_b = kSwapped;
  swapped.epilogue.push_back({staged.buffer, staged.offset, arena.Acc(draft.dtype, 0)});
  const std::optional<loop::Contraction> contraction = Finish(planner, swapped, why_not);
  if (!contraction) return false;

  Block pack;
  pack.loops = panel;
  pack.domain = domain;
  pack.stores.push_back(
      {packed.buffer, packed.offset, arena.Substitute(draft.a, std::span(&split, 1))});
  planner.plan.steps.emplace_back(
      MakeNest(arena, std::move(pack), planner.target, "pack A in panels"));

  planner.plan.steps.emplace_back(*contraction);

  Block unstage;
  unstage.loops = {mb, ml, n};
  unstage.domain = domain;
  const Scalar* const acc = arena.Acc(draft.dtype, 0);
  const Scalar* const sum = arena.Load(staged.buffer, draft.dtype, std::span(&staged.offset, 1));
  for (const loop::FlatStore& store : draft.epilogue) {
    unstage.stores.push_back({store.buffer,
                              loop::Substitute(arena, store.offset, std::span(&split, 1)),
                              arena.Substitute(store.value, std::span(&split, 1), {{acc, sum}})});
  }
  planner.plan.steps.emplace_back(
      MakeNest(arena, std::move(unstage), planner.target, "transpose C, epilogue"));
  return true;
}

}  // namespace gradus::passes::scheduling
