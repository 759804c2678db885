#include "passes/scheduling/kernel_scheduler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "fmt/format.h"
#include "ir/loop/walk.h"
#include "passes/scheduling/column_blocks.h"
#include "passes/scheduling/join_rows.h"
#include "passes/scheduling/k_blocks.h"
#include "passes/scheduling/nests.h"
#include "passes/scheduling/packing.h"
#include "passes/scheduling/ranges.h"
#include "passes/scheduling/residues.h"
#include "passes/scheduling/role_swap.h"
#include "passes/scheduling/shared_sums.h"
#include "passes/scheduling/spread_sum.h"
#include "passes/scheduling/widen.h"

namespace gradus::passes::scheduling {
namespace {

// The reductions that the roots hold outside any other reduction.
std::vector<const Scalar*> TopReductions(std::span<const Scalar* const> roots) {
  std::vector<const Scalar*> found;
  loop::ForEachReached(roots, [&](const Scalar* s) {
    const bool reduction = s->kind == ScalarKind::kReduce;
    if (reduction) found.push_back(s);
    return !reduction;
  });
  return found;
}

// The variable along which all of the block's stores have stride 1.
const Variable* UnitStride(const Block& block) {
  for (auto v = block.loops.rbegin(); v != block.loops.rend(); ++v) {
    if (std::ranges::all_of(block.stores,
                            [&](const loop::FlatStore& s) { return Stride(s.offset, *v) == 1; })) {
      return *v;
    }
  }
  return nullptr;
}

// Ranges of an axis that are worth loops of their own: a vector of the widest target.
constexpr int64_t kShortestRange = 16;

class KernelScheduler {
 public:
  KernelScheduler(Arena& arena, const Planner& planner) : arena_(arena), planner_(planner) {}

  void Schedule(Block block) {
    if (block.ordered()) return ScheduleOrdered(std::move(block));
    std::vector<Block> parts;
    SplitAllResidues(std::move(block), parts);
    JoinEqualLoops(arena_, planner_.plan.buffers, parts);
    for (Block& part : parts) ScheduleAffine(std::move(part));
  }

  // Adds what waits for others to join it; to be called before a step is added, and at the end.
  void Flush() {
    if (!waiting_) return;
    planner_.plan.steps.emplace_back(
        MakeNest(arena_, *std::exchange(waiting_, std::nullopt), planner_.target, "nest"));
  }

 private:
  void SplitAllResidues(Block block, std::vector<Block>& parts) {
    if (std::optional<std::vector<Block>> split = SplitResidues(arena_, block)) {
      for (Block& part : *split) SplitAllResidues(std::move(part), parts);
    } else {
      parts.push_back(std::move(block));
    }
  }

  // A block in which no stride divides anything.
  void ScheduleAffine(Block block) {
    SplitAtoms(arena_, block);
    DropUnitLoops(arena_, block);
    SortReductions(arena_, block);

    const std::vector<const Scalar*> values = block.values();
    const std::vector<const Scalar*> top = TopReductions(values);
    const Variable* const n = UnitStride(block);
    const Scalar* own = nullptr;  // the sum that the block's loops make a contraction
    Roles roles;
    if (n != nullptr) {
      for (const Scalar* sum : top) {
        Recognition found = Recognize(arena_, *sum, block.loops, n);
        if (found.why_not.empty()) {
          own = sum;
          roles = std::move(found.roles);
          break;
        }
      }
    }
    for (const Scalar* s : PostOrder(values)) {
      if (s->kind != ScalarKind::kReduce || s == own) continue;
      if (values.size() == 1 && values[0] == s) break;  // it is being computed by itself
      const bool is_top = Contains(top, s);
      if ((own != nullptr && is_top) || IsContractionOfItsOwn(*s)) {
        return Schedule(Materialize(std::move(block), *s));
      }
    }
    if (own != nullptr && Contract(block, *own, roles)) return;
    for (const Scalar* sum : top) {
      if (n == nullptr || own != nullptr) break;
      const Recognition found = Recognize(arena_, *sum, block.loops, n);
      if (found.missed) Remark(*sum, found.why_not);
    }
    AddNest(std::move(block));
  }

  // A nest, whose contractions are computed before it.
  void ScheduleOrdered(Block block) {
    for (const Scalar* s : PostOrder(block.values())) {
      if (s->kind == ScalarKind::kReduce && IsContractionOfItsOwn(*s)) {
        return ScheduleOrdered(Materialize(std::move(block), *s));
      }
    }
    Flush();
    planner_.plan.steps.emplace_back(MakeNest(arena_, std::move(block), planner_.target, "nest"));
  }

  void AddNest(Block block) {
    if (waiting_ && JoinRows(arena_, *waiting_, block)) return;
    Flush();
    waiting_ = std::move(block);
  }

  static bool Contains(std::span<const Scalar* const> list, const Scalar* s) {
    return std::ranges::find(list, s) != list.end();
  }

  void Remark(const Scalar& sum, const std::string& why) {
    planner_.plan.remarks.push_back(
        fmt::format("sum over {} is a nest: {}", sum.variables.front()->name(), why));
  }

  // The loops of a sum that is computed by itself: its free variables, those of symbolic extent
  // outermost, and one along which a factor has stride 1 innermost.
  Variables LoopsOf(const Scalar& sum) {
    Variables loops(sum.free.begin(), sum.free.end());
    std::ranges::stable_partition(loops,
                                  [](const Variable* v) { return !v->extent().is_number(); });
    const Scalar* const body[] = {sum.operands[0]};
    for (const Variable* v : loops) {
      for (const Scalar* s : PostOrder(body)) {
        if (v->extent().is_number() && s->kind == ScalarKind::kLoad &&
            Stride(s->indices[0], v) == 1) {
          std::erase(loops, v);
          loops.push_back(v);
          return loops;
        }
      }
    }
    return loops;
  }

  bool IsContractionOfItsOwn(const Scalar& sum) {
    const Variables loops = LoopsOf(sum);
    if (loops.empty() || !loops.back()->extent().is_number()) return false;
    const Recognition found = Recognize(arena_, sum, loops, loops.back());
    if (!found.why_not.empty()) return false;
    const Roles& r = found.roles;
    return !r.m.empty() || HasUnitStride(r.b, r.k, r.n.back(), sum.dtype);
  }

  // True if side B can be read as it is, along n. (A row times a matrix is a contraction only
  // then.)
  static bool HasUnitStride(const Scalar* b, Variables k, const Variable* n, ir::DType dtype) {
    k.push_back(n);
    return IsDirect(b, dtype, k) && Stride(b->indices[0], n) == 1;
  }

  // Schedules a reduction into scratch. Returns the block with loads of the scratch in its place.
  Block Materialize(Block block, const Scalar& reduction) {
    Block first;
    first.loops = LoopsOf(reduction);
    const Planner::Laid laid = planner_.LayOut(reduction.dtype, first.loops);
    first.stores.push_back({laid.buffer, laid.offset, &reduction});
    const Scalar* load = arena_.Load(laid.buffer, reduction.dtype, std::span(&laid.offset, 1));
    for (loop::FlatStore& store : block.stores) {
      ReplaceScalars(
          store, [&](const Scalar* s) { return arena_.Substitute(s, {}, {{&reduction, load}}); });
    }
    Schedule(std::move(first));
    return block;
  }

  // How far the plan has come, for attempts that fail.
  struct Mark {
    size_t buffers, steps;
  };
  Mark Here() const { return {planner_.plan.buffers.size(), planner_.plan.steps.size()}; }
  void BackTo(const Mark& mark) {
    planner_.plan.buffers.resize(mark.buffers);
    planner_.plan.steps.resize(mark.steps);
  }

  // Adds the steps of a contraction; false (with a remark) if it has to be a nest.
  bool Contract(const Block& block, const Scalar& sum, const Roles& roles) {
    Flush();
    Draft draft;
    draft.batch = roles.batch;
    draft.m = roles.m;
    draft.n = roles.n;
    draft.k = roles.k;
    draft.a = roles.a;
    draft.b = roles.b;
    draft.dtype = sum.dtype;
    const Scalar* result = arena_.Acc(sum.dtype, 0);
    if (roles.negated) result = arena_.Unary(ScalarKind::kNeg, result);
    for (const Scalar* factor : roles.outside) {
      result = arena_.Binary(ScalarKind::kMul, result, factor);
    }
    for (const loop::FlatStore& store : block.stores) {
      draft.epilogue.push_back(
          {store.buffer, store.offset, arena_.Substitute(store.value, {}, {{&sum, result}})});
    }
    draft.MergeLoops(arena_);

    const Mark mark = Here();
    std::string why_not;
    if (Plan(std::move(draft), why_not)) return true;
    BackTo(mark);
    Remark(sum, why_not);
    return false;
  }

  // With a B that is transposed panel by panel, block by block of a long sum; false if that does
  // not pay or cannot be.
  bool PlanInPanels(Draft draft) {
    if (!MayTransposeInPanels(planner_, draft)) return false;
    const Mark mark = Here();
    if (!IsDirect(draft.a, draft.dtype, draft.k)) PackA(planner_, draft);
    draft.how_b = kTransposed;
    std::string why_not;
    std::optional<loop::Contraction> contraction = Finish(planner_, std::move(draft), why_not);
    if (contraction && BlocksInPanels(planner_, *contraction)) {
      planner_.plan.steps.emplace_back(*std::move(contraction));
      return true;
    }
    BackTo(mark);
    return false;
  }

  bool Plan(Draft draft, std::string& why_not) {
    for (const auto& with_more_columns : {SpreadOverColumns, WidenColumns}) {
      const Mark mark = Here();
      std::optional<Staged> staged = with_more_columns(planner_, draft);
      if (!staged) continue;
      if (Plan(std::move(staged->product), why_not)) {
        if (staged->rest) AddNest(*std::move(staged->rest));
        return true;
      }
      why_not.clear();
      BackTo(mark);
    }
    // Once A is packed, its sums may be one loop, along which B has a stride that is a number.
    if (IsDirect(draft.b, draft.dtype, draft.n) &&
        Stride(draft.b->indices[0], draft.n.back()) == 1) {
      if (!IsDirect(draft.a, draft.dtype, draft.k)) {
        PackA(planner_, draft);
        draft.MergeLoops(arena_);
      } else if (!IsDirect(draft.b, draft.dtype, draft.k)) {
        PackAInOrderOfB(planner_, draft);
      }
    }
    if (!HasUnitStride(draft.b, draft.k, draft.n.back(), draft.dtype)) {
      if (draft.m.empty()) {
        why_not = "one row, and B has no stride 1 along it";
        return false;
      }
      const std::optional<SwapCost> cost = CostOfSwap(draft, planner_.target);
      const std::optional<Choice::SideB> chosen = planner_.choice().b;
      const bool swaps =
          chosen ? *chosen == Choice::SideB::kSwapRoles : cost && cost->swap < cost->transpose;
      if (cost && swaps) return SwapRoles(planner_, draft, why_not);
      if (PlanInPanels(draft)) return true;
      ReadForwards(arena_, draft);
      PackB(planner_, draft);
    }
    if (!IsDirect(draft.a, draft.dtype, draft.k)) PackA(planner_, draft);
    std::optional<loop::Contraction> contraction = Finish(planner_, std::move(draft), why_not);
    if (!contraction) return false;
    BlockLongSum(planner_, *contraction);
    planner_.plan.steps.emplace_back(*std::move(contraction));
    return true;
  }

  Arena& arena_;
  Planner planner_;
  std::optional<Block> waiting_;  // the last nest
};

// Adds the steps of the kernel's blocks to the planner's plan.
void PlanBlocks(const Planner& planner, const loop::Kernel& kernel, std::span<const Block> whole) {
  KernelScheduler scheduler(planner.arena, planner);
  std::vector<Block> blocks;
  bool split = false;
  for (const Block& block : whole) {
    std::optional<std::vector<Block>> ranges = SplitRanges(planner.arena, block, kShortestRange);
    split |= ranges.has_value();
    if (!ranges) ranges.emplace().push_back(block);
    for (Block& range : *ranges) blocks.push_back(std::move(range));
  }
  if (split) JoinEqualLoops(planner.arena, planner.plan.buffers, blocks);
  MoveSumsOfColumnsBack(kernel, blocks);
  for (Block& block : blocks) scheduler.Schedule(std::move(block));
  scheduler.Flush();
}

}  // namespace

absl::StatusOr<std::unique_ptr<loop::Plan>> ScheduleKernel(const loop::Kernel& kernel,
                                                           const ir::Target& target, bool in_loop,
                                                           std::span<const Choice> choices) {
  Arena& arena = *kernel.arena;
  std::vector<Block> blocks = FormBlocks(kernel);
  auto plan = std::make_unique<loop::Plan>();
  plan->buffers = kernel.buffers;
  while (true) {
    // The kernel's buffers, and scratch for the sums that steps share.
    const std::vector<loop::Buffer> buffers = plan->buffers;
    plan->kernel = kernel.name;
    PlanBlocks({arena, *plan, target, in_loop, choices}, kernel, blocks);
    auto anew = std::make_unique<loop::Plan>();
    anew->buffers = buffers;
    Planner planner{arena, *anew, target, in_loop, choices};
    if (!StoreSharedSums(planner, *plan, blocks)) break;
    plan = std::move(anew);
  }
  Planner planner{arena, *plan, target, in_loop, choices};
  SumColumnsBesideRows(planner, kernel);
  if (absl::Status s = CheckFollowed(*plan, choices, target); !s.ok()) return s;
  return plan;
}

}  // namespace gradus::passes::scheduling
