#include "passes/scheduling/tile_table.h"

#include <algorithm>
#include <limits>

namespace gradus::passes::scheduling {
namespace {

// One row of the table: it fires for n up to `max_n` vectors (and k up to max_k). Sizes are in
// vectors, so that one table serves f32 and f64.
//
// GFLOP/s of one core, f32, Zen 5 (512-bit units, peak 235), M x N x K, median of 9 by tile:
//                  6x64  8x32  12x32  8x16  16x16  24x16  28x16
//   256^3           231   225    231   202    206    220    218
//   32x512x784      219   228    201   163    181    217    182
//   784x32x512        -   235    222   199    199    201    161   rows of A 2 KiB apart
//   784x16x512        -     -      -   197    201    178    165   rows of A 2 KiB apart
//   784x512x32^T    222   222    219   157    182    175    163   columns outer
//   784x512x32^T    229   230    223   179    197    201    195   rows outer
// On Zen 4 (units of 256 bits, peak 118) all of them stand within 2 % but where rows of A are 2 KiB
// apart.
struct Row {
  int registers;         // at least so many vector registers
  double max_n_vectors;  // n / lanes at most
  bool fused;            // needs fused multiply-add (without: one register more for the product)
  int rows, vectors;
  const char* rule;
};
constexpr double kAny = std::numeric_limits<double>::infinity();
constexpr Row kRows[] = {
    {32, 1, false, 24, 1, "narrow"},        {32, 2, false, 8, 2, "two vectors"},
    {32, 3, false, 8, 3, "three vectors"},  {32, kAny, false, 6, 4, "wide"},
    {16, 1, true, 12, 1, "narrow"},         {16, 2, true, 6, 2, "two vectors"},
    {16, 3, true, 4, 3, "three vectors"},   {16, kAny, true, 6, 2, "wide"},
    {16, 1, false, 8, 1, "narrow, no fma"}, {16, kAny, false, 4, 2, "no fma"},
    {0, 1, false, 4, 1, "few registers"},   {0, kAny, false, 2, 2, "few registers"},
};

// Up to this many terms the result is written as often as the operands are read: finish row panels
// one by one, so that they leave in order; a sum over a batch of any size counts as one. Above half
// a second-level cache: 784x512x32 (1.6 MB) 229 against 222, on Zen 4 110 against 83. With an
// update in place 8x32 does best: 208, 6x64 199.
constexpr int64_t kShortSum = 128;

// Of a row alone: bound by reading B, in long pieces of its rows, and by latency if there are few
// sums.
constexpr int kVectorsOfOneRow = 8;

// What a call of one row has, if its number of rows is known only then: as many tiles' vectors as
// one row alone would have; 0 if that is one tile.
int VectorsOfOneRow(const TileQuery& query, const TileChoice& choice, const ir::Target& target,
                    int lanes) {
  if (query.m != 0) return 0;
  // Small code has it where B comes from memory, if it leaves no rest, and not on old processors.
  if (target.small_code &&
      (!target.has_fma || query.n * query.k * query.element_bytes <= target.l2_bytes ||
       query.n % (int64_t{kVectorsOfOneRow} * lanes) != 0)) {
    return 0;
  }
  if (choice.order != loop::Contraction::Order::kColumnsOuter) return 0;
  const int64_t most = std::min<int64_t>(kVectorsOfOneRow, query.n / lanes);
  const auto tiles = static_cast<int>(most / choice.vectors);
  return tiles > 1 ? tiles * choice.vectors : 0;
}

}  // namespace

TileChoice ChooseTile(const TileQuery& query, const ir::Target& target, const Choice& chosen) {
  const int lanes = std::max(1, target.lanes(query.element_bytes));
  const double n_vectors =
      query.n == 0 ? kAny : static_cast<double>(query.n) / static_cast<double>(lanes);
  TileChoice choice;
  for (const Row& row : kRows) {
    if (target.vector_registers < row.registers || n_vectors > row.max_n_vectors) continue;
    if (row.fused && !target.has_fma) continue;
    choice.rows = row.rows;
    choice.vectors = row.vectors;
    choice.rule = row.rule;
    break;
  }
  // A width that is three vectors times something wastes no columns in tiles of three.
  if (choice.vectors == 4 && query.n != 0 && query.n % (4 * lanes) != 0 &&
      query.n % (3 * lanes) == 0) {
    choice.rows = 8;
    choice.vectors = 3;
    choice.rule = "divides by three vectors";
  }
  // The rows of a small image in one tile rather than in two, each of which would read B (3x3,
  // 256 to 256 channels over 32 images of 8x8: 9.3 ms, its input gradient 9.3; with each window
  // copied, so that all positions are rows, 9.8 and 10.9).
  constexpr int kMostRowsOfImage = 8;
  if (choice.vectors == 4 && query.m > choice.rows && query.m <= kMostRowsOfImage &&
      target.vector_registers >= 32) {
    choice.rows = static_cast<int>(query.m);
    choice.vectors = 2;
    choice.rule = "all rows in one tile";
  }
  // With M known only at the call and a B beyond the second-level cache, a tall tile: B is read
  // once for up to 12 rows, and two tiles of 6 and 7 rows hide its second reading. With 6x64, 7
  // rows ran 19 % slower than 6; with 8x32, 9 rows 36 % slower than 8. It has twice as many tile
  // functions, which is why smaller B keep 6x64.
  if (choice.vectors == 4 && query.m == 0 &&
      query.n * query.k * query.element_bytes > target.l2_bytes) {
    choice.rows = 12;
    choice.vectors = 2;
    choice.rule = "tall, rows known at the call";
  }
  if (query.m == 1) {  // bound by reading B
    choice.rows = 1;
    choice.vectors =
        std::min<int>(kVectorsOfOneRow, static_cast<int>((query.n + lanes - 1) / lanes));
    choice.rule = "one row";
  } else if (query.a_row_stride_bytes != 0 && query.a_row_stride_bytes % kAliasingStride == 0) {
    // With more than 8 (16 where one vector of B is loaded for all of them) the tile runs at half
    // speed (Zen 4: 50 instead of 113 for 14x32).
    const int most = choice.vectors == 1 ? 16 : 8;
    if (choice.rows > most) {
      choice.rows = most;
      choice.rule = "rows alias";
    }
  }
  if (query.m != 0) choice.rows = static_cast<int>(std::min<int64_t>(choice.rows, query.m));
  if (query.typical_k <= kShortSum && query.output_bytes > target.l2_bytes / 2) {
    choice.order = loop::Contraction::Order::kRowsOuter;
    if (choice.vectors == 4 && !target.far_caches) {
      choice.rows = query.m == 0 ? 8 : static_cast<int>(std::min<int64_t>(8, query.m));
      choice.vectors = 2;
      choice.rule = "short sums";
    }
  }
  if (chosen.tile) {
    choice.rows = chosen.tile->rows;
    choice.vectors = chosen.tile->vectors;
  }
  if (chosen.order) choice.order = *chosen.order;
  if (!chosen.empty()) choice.rule = chosen.why.empty() ? "chosen" : "tuned: " + chosen.why;
  // A second step of k pays where one is short, and for long sums (32x512x784: 222 against 218;
  // gradient of 3x3x64x64 over 32 images of 32x32: 9.8 ms, with single steps 10.1) where M is
  // known: with M of any size there is a tile function for each number of rows.
  const bool long_sum = query.typical_k >= 2 * kShortSum && query.m != 0;
  choice.k_unroll = choice.rows * choice.vectors <= 16 || long_sum ? 2 : 1;
  // Where caches are far, more of the loop's own instructions are worth saving (Granite Rapids: a
  // step of a transformer 40.8 ms, with two steps for any M 38.1; inference of ResNet-18 26.1, with
  // four for long sums 24.7). Four for sums over a batch would bring 1 % and take 2 % longer to
  // compile.
  if (target.far_caches && query.typical_k >= kShortSum) {
    choice.k_unroll = long_sum && query.k != 0 ? 4 : 2;
  }
  if (chosen.k_unroll) choice.k_unroll = *chosen.k_unroll;
  choice.one_row_vectors = VectorsOfOneRow(query, choice, target, lanes);
  return choice;
}

}  // namespace gradus::passes::scheduling
