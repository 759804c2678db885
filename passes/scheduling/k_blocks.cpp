#include "passes/scheduling/k_blocks.h"

#include <algorithm>

#include "passes/scheduling/recognize.h"

namespace gradus::passes::scheduling {
namespace {

// Bytes of a block's panel, which stays in the second-level cache: of 64 columns of floats 512
// terms, of 32 twice as many (3x3, 512 to 512 channels, 32 images of 4x4: 9.7 ms, with 512
// terms 9.9; its input gradient 10.4 and 10.7). Zen 5, GFLOP/s of a peak of 262, M x N x K with
// tiles of 64 columns, by terms of a block (none: K in one loop, B as it is):
//                     none   256   384   512
//   1024^3             205     -   251   251
//   256x1024x1024^T    183   227   246   248
//   1024x256x1024      232   251   255   260
//   512^3              258   249   258   260
constexpr int64_t kPanelBytes = 128 << 10, kMostOfBlock = 1024;
// Where caches are far (Target::far_caches) and a few rows read a B that passes them, panels stay
// in the first one, the rows of B are read as they lie (Granite Rapids, GFLOP/s of a peak of 205, M
// x N x K, by the size of a panel in KiB):
//                     none    36   128
//   32x512x784         107   163   130   in one loop 43 to 62 % of the peak, by chance
//   128x512x784        158   168     -
//   256x512x784        151   160     -
// With more rows the sums that go to memory and back cost more (512^3 163 and 153, 1024^3 156 and
// 128): panels of an eighth of the second-level cache (1024^3 170). But where a tile takes lines of
// A, which the next tiles are to find, panels are near, too, and rows are outside, for all panels
// that stay in the second-level cache (a step of Conv1D 32 to 512 over 34 places 25.8 ms, so 25.2;
// over 1035 802 and 780, of a transformer 37.9 and 36.8; 1024x256x1024^T 6.6 and 3.6).
constexpr int64_t kMostRowsOfNearPanels = 256;
// Of loops within loops, up to so many rather than sums in memory twice.
constexpr int64_t kMostTerms = 1200;
// So many terms before a copy of B pays.
constexpr double kLongSum = 384;
// Rows that use a copied panel.
constexpr double kEnoughRows = 64;
// B in rows is read well up to this size ...
constexpr double kLargeB = 768 * 1024;
// (few rows: from this size on blocks of it are read from one end of the memory to the other,
// without a copy) ...
constexpr double kHugeB = 4096.0 * 1024;
// ... unless its rows are so far apart, or a multiple: they share cache sets (256x1024x1024 of AᵀB
// on Zen 5: 183 GFLOP/s, with 1040 columns 246).
constexpr int64_t kAliasingStrideOfB = 4096;

// Where rows of A have stride 1, a tile takes a line of A from each step of the sum. Steps that are
// a multiple of this apart share cache sets: of more than a block's the next tile finds none of the
// lines that it shares (Zen 5, GFLOP/s of a peak of 265, AᵀB in one loop and in blocks:
// 1024x64x1024 208, 253; 1024x128x1024 181, 248; 256x64x1024 240, 258; four heads of 256x64x1024
// with Adam 599 us, 557).
constexpr int64_t kAliasingStepsOfA = 1024, kMostOfAliasingSteps = 512;

bool IsRawSum(const loop::FlatStore& store) {
  return store.value->kind == ScalarKind::kAcc && !store.accumulate;
}

// Which K loop to run in blocks, and in how many steps: the innermost such that the loops within
// it are at most `most` terms together. Nullopt: a loop within is of any length.
struct Level {
  int number = 0;
  int64_t steps = 1, terms = 1;  // of the block; within a step
};
std::optional<Level> LevelOf(std::span<const Variable* const> k, int64_t block, int64_t most) {
  Level level{.number = static_cast<int>(k.size()) - 1};
  while (level.number > 0) {
    const Extent& extent = k[static_cast<size_t>(level.number)]->extent();
    if (!extent.is_number()) return std::nullopt;
    if (level.terms * extent.number() > most) break;
    level.terms *= std::max<int64_t>(extent.number(), 1);
    --level.number;
  }
  level.steps = std::max<int64_t>(block / level.terms, 1);
  // No longer than the loop is: a plan says what it does, and its panels have no more memory.
  const Extent& all = k[static_cast<size_t>(level.number)]->extent();
  if (all.is_number()) level.steps = std::clamp<int64_t>(all.number(), 1, level.steps);
  return level;
}

// All rows of a panel, beside what else passes through the second-level cache.
bool StaysInCache(const ir::Target& target, double panel_bytes) {
  return panel_bytes <= 0.3 * static_cast<double>(target.l2_bytes);
}

// Whether a tile takes a line of A from each step of the sum, which the next tiles take, too.
bool TakesLinesOfA(const loop::Contraction& c) { return Stride(c.a.offset, c.m.back()) == 1; }

// Whether these lines share cache sets.
bool StepsOfAShareSets(const loop::Contraction& c) {
  const std::optional<int64_t> apart = Stride(c.a.offset, c.k.back());
  return TakesLinesOfA(c) && apart && *apart * ir::ByteSize(c.dtype) % kAliasingStepsOfA == 0;
}

// Bytes of the panel of a block, for a tile of so many columns.
struct PanelSize {
  int64_t bytes = kPanelBytes;
  bool is_near = false;  // in the first-level cache: loops within loops do not make it longer
  bool pays = false;     // blocks pay for that alone
};
PanelSize PanelOf(const Planner& planner, const loop::Contraction& c, int64_t tile) {
  if (!planner.target.far_caches) return {};
  const int64_t near = planner.target.l1_bytes / 4 * 3;
  const double terms = Passes(c.k), columns = Passes(std::span(&c.n, 1)), rows = Passes(c.m);
  const auto bytes = static_cast<double>(ir::ByteSize(c.dtype));
  const bool again = Passes(std::span(&c.m.back(), 1)) > c.tile_rows;
  if (rows <= kMostRowsOfNearPanels && again && terms >= kLongSum &&
      terms * columns * bytes > kLargeB &&
      terms * static_cast<double>(tile) * bytes > 1.3 * static_cast<double>(near)) {
    return {near, true, true};
  }
  if (TakesLinesOfA(c)) return {near, true, false};
  return {planner.target.l2_bytes / 8, false, false};
}

// With tiles of so many columns and, if at all, blocks of so many terms; blocks that pay anyhow are
// without panels of their own, if nothing asks for them.
Choice::Blocks FromTable(const Planner& planner, const loop::Contraction& c, int64_t tile,
                         int64_t block, bool pays) {
  const Choice::Blocks none{pays ? block : 0, false};
  const double terms = Passes(c.k), columns = Passes(std::span(&c.n, 1));
  if (terms < kLongSum) return none;
  const int64_t bytes = ir::ByteSize(c.dtype);
  const int64_t row = std::abs(Stride(c.b.offset, c.k.back()).value_or(0)) * bytes;
  const double size = terms * columns * static_cast<double>(bytes);
  const bool few_rows = Passes(c.m) < kEnoughRows;
  const bool for_a = StepsOfAShareSets(c) && terms > static_cast<double>(block);
  // (With copies it could not be shared along the batch.)
  if (!c.batch.empty()) return for_a ? Choice::Blocks{block, false} : none;
  if (!for_a && few_rows && size < kHugeB) return none;
  if (!for_a && size <= kLargeB && (row == 0 || row % kAliasingStrideOfB != 0)) return none;
  // B is a panel as it is, or was packed in rows that do not share cache sets.
  const bool as_it_is =
      (c.n->extent().number() <= tile && row <= tile * bytes) ||
      planner.plan.buffers[static_cast<size_t>(c.b.buffer)].kind == loop::Buffer::Kind::kScratch;
  // Then no sums go to memory and back (gradient of the images of 3x3, 256 to 256 channels,
  // 8x8: 9.4 ms, with blocks 9.8).
  const double panel = terms * static_cast<double>(tile * bytes);
  if (!for_a && as_it_is && !few_rows && StaysInCache(planner.target, panel)) return none;
  const bool copies = !few_rows && !as_it_is;
  if (!copies && terms <= static_cast<double>(block)) return none;
  return {block, copies};
}

// Whether the lines of A that a tile takes are for all panels of the block, where caches are far
// and all of these stay in the second one.
bool RowsOuter(const Planner& planner, const loop::Contraction& c, int64_t block) {
  const double bytes =
      static_cast<double>(block * ir::ByteSize(c.dtype)) * Passes(std::span(&c.n, 1));
  return planner.target.far_caches && c.b_panel_buffer >= 0 && TakesLinesOfA(c) &&
         StaysInCache(planner.target, bytes);
}

// Whether a B that lies along k is transposed into panels rather than at once, to come back from
// the next level of cache: where what is transposed at once would be read in blocks (3x3, 512 to
// 512 channels, 32 images of 4x4: the gradient of the images 10.1 ms, with B transposed at
// once 10.7).
bool TransposesInPanels(const Planner& planner, const loop::Contraction& c, int64_t tile) {
  const double panel = Passes(c.k) * static_cast<double>(tile * ir::ByteSize(c.dtype));
  return !StaysInCache(planner.target, panel) && Stride(c.b.offset, c.k.back()) == 1 &&
         c.k.back()->extent().is_number();
}

// Terms of a block, about, and the level; whether there can be blocks at all.
struct Form {
  int64_t tile = 0;  // columns
  Level level;
  bool pays = false;  // see PanelSize
};
std::optional<Form> FormOfBlocks(const Planner& planner, const loop::Contraction& c) {
  const int64_t bytes = ir::ByteSize(c.dtype);
  const int64_t tile = int64_t{c.tile_vectors} * planner.target.lanes(static_cast<int>(bytes));
  const std::optional<Choice::Blocks> chosen = planner.choice().blocks;
  const int64_t most = StepsOfAShareSets(c) ? kMostOfAliasingSteps : kMostOfBlock;
  const PanelSize panel = PanelOf(planner, c, tile);
  const int64_t terms = std::min(panel.bytes / (tile * bytes), most);
  const std::optional<Level> level =
      LevelOf(c.k, chosen ? chosen->terms : terms, panel.is_near && !chosen ? terms : kMostTerms);
  return level ? std::optional(Form{tile, *level, panel.pays}) : std::nullopt;
}

void SetBlocks(Planner& planner, loop::Contraction& c, const Form& form, bool panels) {
  c.k_level = form.level.number;
  c.k_block = form.level.steps;
  if (panels) {
    const int64_t tiles = (c.n->extent().number() + form.tile - 1) / form.tile;
    const int64_t terms = form.level.steps * form.level.terms;
    c.b_panel_buffer = planner.NewScratch(c.dtype, {Extent(tiles * form.tile * terms)});
  }
  if (c.epilogue.size() == 1 && IsRawSum(c.epilogue[0]) &&
      planner.plan.buffers[static_cast<size_t>(c.epilogue[0].buffer)].type.dtype == c.dtype) {
    c.partial_buffer = c.epilogue[0].buffer;
    c.partial_offset = c.epilogue[0].offset;
    return;
  }
  Variables place = c.batch;
  place.insert(place.end(), c.m.begin(), c.m.end());
  std::ranges::stable_partition(place, [](const Variable* v) { return !v->extent().is_number(); });
  place.push_back(c.n);
  const Planner::Laid laid = planner.LayOut(c.dtype, place);
  c.partial_buffer = laid.buffer;
  c.partial_offset = laid.offset;
}

}  // namespace

void BlockLongSum(Planner& planner, loop::Contraction& c) {
  const std::optional<Form> form = FormOfBlocks(planner, c);
  if (!form) return;
  const std::optional<Choice::Blocks> chosen = planner.choice().blocks;
  const int64_t block = form->level.steps * form->level.terms;
  const Choice::Blocks blocks =
      chosen ? *chosen : FromTable(planner, c, form->tile, block, form->pays);
  if (blocks.terms == 0) return;
  SetBlocks(planner, c, *form, blocks.panels);
  if (!planner.choice().order && RowsOuter(planner, c, block)) {
    c.order = loop::Contraction::Order::kRowsOuter;
  }
}

bool MayTransposeInPanels(const Planner& planner, const Draft& draft) {
  constexpr double kWidestTile = 4;  // vectors
  Variables of_b = draft.k;
  of_b.push_back(draft.n.back());
  const int64_t bytes = ir::ByteSize(draft.dtype);
  const double size = Passes(draft.k) * Passes(draft.n) * static_cast<double>(bytes);
  const double panel = Passes(draft.k) * kWidestTile * planner.target.vector_bytes;
  return IsDirect(draft.b, draft.dtype, of_b) && draft.batch.empty() && draft.n.size() == 1 &&
         size > kLargeB && !StaysInCache(planner.target, panel) && Passes(draft.m) >= kEnoughRows &&
         bytes >= 4;
}

bool BlocksInPanels(Planner& planner, loop::Contraction& c) {
  const std::optional<Form> form = FormOfBlocks(planner, c);
  const std::optional<Choice::Blocks> chosen = planner.choice().blocks;
  if (!form || !TransposesInPanels(planner, c, form->tile) || (chosen && !chosen->panels))
    return false;
  SetBlocks(planner, c, *form, true);
  return true;
}

}  // namespace gradus::passes::scheduling
