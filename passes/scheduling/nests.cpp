#include "passes/scheduling/nests.h"

#include <algorithm>

#include "passes/scheduling/merge_loops.h"
#include "passes/scheduling/recognize.h"
#include "passes/scheduling/rows.h"

namespace gradus::passes::scheduling {
namespace {

// How many loads below the roots would be gathered if `v` ran along the lanes.
int Gathers(std::span<const Scalar* const> roots, const Variable* v) {
  int gathers = 0;
  for (const Scalar* s : PostOrder(roots)) {
    if (!s->reads_buffer()) continue;
    const std::optional<int64_t> stride = Stride(s->indices[0], v);
    const bool jumps = s->kind == ScalarKind::kGather && s->operands[0]->depends_on(v);
    if (jumps || InAtom(s->indices[0], v) || !stride.has_value() || std::abs(*stride) > 1)
      ++gathers;
  }
  return gathers;
}

bool RunsOnce(const Variable* v) { return v->extent().is_number() && v->extent().number() <= 1; }

// The variable along which every store of the block has stride 1, if there is one. Steps of a
// running sum, and updates that may go to one place, have to follow each other.
const Variable* UnitStride(const Block& block) {
  for (auto v = block.loops.rbegin(); v != block.loops.rend(); ++v) {
    if (!RunsOnce(*v) && *v != block.running &&
        std::ranges::all_of(block.stores, [&](const loop::FlatStore& s) {
          return !InAtom(s.offset, *v) && Stride(s.offset, *v) == 1 &&
                 (s.jump == nullptr || !(s.jump->depends_on(*v) || s.where->depends_on(*v)));
        })) {
      return *v;
    }
  }
  return nullptr;
}

// True if the body of `reduce` has a reduction that runs again for each value of `v`.
bool HasReductionOver(const Scalar& reduce, const Variable* v) {
  const Scalar* const roots[] = {reduce.operands[0]};
  return std::ranges::any_of(PostOrder(roots), [&](const Scalar* s) {
    return s->kind == ScalarKind::kReduce && s->depends_on(v);
  });
}

// True if the reductions that depend on `v` gather less along their own innermost variables than
// along `v`.
bool ReductionsWin(std::span<const Scalar* const> scalars, const Variable* v) {
  int along_v = 0, along_own = 0;
  for (const Scalar* s : scalars) {
    if (s->kind != ScalarKind::kReduce || !s->depends_on(v)) continue;
    const Scalar* const body[] = {s->operands[0]};
    along_v += Gathers(body, v);
    along_own += HasReductionOver(*s, s->variables.back()) ? Gathers(body, v)
                                                           : Gathers(body, s->variables.back());
  }
  return along_own < along_v;
}

// A loop along which all loads that `vector` would gather, of the type given, have stride 1, if
// there are such loads.
const Variable* CrossVariable(const Block& block, std::span<const Scalar* const> scalars,
                              const Variable* vector, ir::DType dtype) {
  std::vector<const Scalar*> gathered;
  for (const Scalar* s : scalars) {
    if (s->kind == ScalarKind::kReduce) return nullptr;
    if (s->kind == ScalarKind::kGather) continue;  // element by element where it has to be
    const Scalar* const self[] = {s};
    if (s->kind != ScalarKind::kLoad || Gathers(self, vector) == 0) continue;
    if (s->dtype != dtype) return nullptr;
    gathered.push_back(s);
  }
  if (gathered.empty()) return nullptr;
  for (const Variable* v : block.loops) {
    if (v == vector || RunsOnce(v)) continue;
    if (std::ranges::all_of(gathered, [&](const Scalar* s) {
          return !InAtom(s->indices[0], v) && IsAffine(s->indices[0]) &&
                 Stride(s->indices[0], v) == 1;
        })) {
      return v;
    }
  }
  return nullptr;
}

// Whether the nest does no more than transpose what it loads, rows that are long and many.
bool IsTransposition(const loop::Nest& nest, const Block& block) {
  constexpr double kShort = 64;
  if (nest.mode != loop::Nest::Mode::kTranspose || block.stores.size() != 1) return false;
  return block.stores.front().value->kind == ScalarKind::kLoad &&
         Passes(std::span(&nest.vector, 1)) > kShort && Passes(std::span(&nest.cross, 1)) > kShort;
}

// One tile after the other along the rows that are read, which the processor then fetches ahead
// (1024x256 from the third-level cache, Zen 5: 24 us, along the rows that are written 35).
void ReadAlongRows(loop::Nest& nest) {
  std::erase(nest.loops, nest.cross);
  nest.loops.push_back(nest.cross);
}

// Along the unit stride a running sum is carried from step to step, and from vector to vector.
bool IsCarried(const Block& block) {
  const Index& offset = block.stores.front().offset;
  return block.running != nullptr && block.loops.back() == block.running &&
         std::abs(Stride(offset, block.running).value_or(0)) == 1;
}

// Along any other stride it is what the step before stored, plus the step's value.
void AddToStored(Arena& arena, Block& block) {
  loop::FlatStore& store = block.stores.front();
  const Extent& extent = block.running->extent();
  const loop::Substitution before{block.running, Index(block.running) - Index(1)};
  const Index offset = loop::Substitute(arena, store.offset, std::span(&before, 1));
  const loop::Condition is_second_or_later{
      Index(1), block.running, extent.is_number() ? Index(extent.number()) : Index::Of(extent)};
  const Scalar* sum =
      arena.Guard(std::span(&is_second_or_later, 1),
                  arena.Load(store.buffer, store.value->dtype, std::span(&offset, 1)));
  store.value = arena.Binary(ScalarKind::kAdd, sum, store.value);
}

}  // namespace

loop::Nest MakeNest(Arena& arena, Block block, const ir::Target& target, std::string purpose) {
  SplitAtoms(arena, block);
  DropUnitLoops(arena, block);
  SortReductions(arena, block);
  const bool carried = IsCarried(block);
  if (block.running != nullptr && !carried) AddToStored(arena, block);
  MergeLoops(arena, block);
  const auto bytes = static_cast<int>(ir::ByteSize(block.stores.front().value->dtype));
  MergeUnderGuards(arena, block, target.lanes(bytes));

  loop::Nest nest;
  nest.loops = block.loops;
  if (carried) nest.running = block.running;
  nest.vector = carried ? block.running : UnitStride(block);
  nest.purpose = std::move(purpose);
  const std::vector<const Scalar*> scalars = PostOrder(block.values());
  if (nest.vector != nullptr && !carried && ReductionsWin(scalars, nest.vector)) {
    nest.vector = nullptr;
  }

  for (const Scalar* s : scalars) {
    if (s->kind != ScalarKind::kReduce) continue;
    if (nest.vector != nullptr && s->depends_on(nest.vector)) continue;
    const Variable* v = s->variables.back();
    if (RunsOnce(v) || HasReductionOver(*s, v) || Contains(nest.vector_reductions, v)) continue;
    nest.vector_reductions.push_back(v);
  }
  if (nest.vector != nullptr && !block.ordered() && block.row_stores.empty()) {
    const ir::DType dtype = block.stores.front().value->dtype;
    if (ir::IsFloat(dtype) && target.lanes(static_cast<int>(ir::ByteSize(dtype))) > 1) {
      nest.cross = CrossVariable(block, scalars, nest.vector, dtype);
      if (nest.cross != nullptr) nest.mode = loop::Nest::Mode::kTranspose;
      // (Of a small network's library it would be another 700 bytes.)
      if (!target.small_code && IsTransposition(nest, block)) ReadAlongRows(nest);
    }
  }
  nest.stores = std::move(block.stores);
  nest.row_stores = std::move(block.row_stores);
  nest.domain = std::move(block.domain);
  FormRowPasses(arena, nest, target);
  return nest;
}

}  // namespace gradus::passes::scheduling
