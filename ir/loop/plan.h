#pragma once

// Loop IR, scheduled: a kernel as a list of steps, each a nest or a contraction. Recognition and
// planning (passes/ schedule) write it, codegen/emit_kernel follows it literally. Every access is
// one flat form (element offset) a buffer: loads in a plan have one index, stores one offset.
//
//   plan @dense_relu {
//     contract M=i N=j K=k, A=%x direct, B=%w direct, tile 6x64, order=columns, epilogue=registers
//     {
//       %o[128*i + j] = max(acc + %b[j], 0)
//     }
//   }

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "ir/loop/kernel.h"
#include "ir/loop/size.h"

namespace gradus::loop {

struct FlatStore {
  int buffer = 0;
  Index offset;
  const Scalar* value = nullptr;
  bool accumulate = false;  // add to what is there (scattered updates)
  // Where only data tell the place: it is `jump` elements further on (i64), and nothing is stored
  // unless `where` (i1) holds. Neither depends on the variable that is vectorised.
  const Scalar* jump = nullptr;
  const Scalar* where = nullptr;
  bool read_soon = false;  // not to go past the caches
};

// One run along a row: everything in it is evaluated element by element, together.
struct RowPass {
  // Null: the reductions are over the row. Else they are float sums over this variable, one for
  // each element of the row, which are kept: the sums of columns, read row by row.
  const Variable* across = nullptr;
  std::vector<const Scalar*> reductions;  // none of them needs another of this pass
  // Values along the row that stand in these reductions and again in what comes later: they stay in
  // memory the size of a row and are read from there, not computed again.
  std::vector<const Scalar*> kept;
};

// Several neighbouring rows together: what their passes and stores are, each row's in turn.
struct RowGroup {
  int rows = 1;  // 1: no group, and nothing below
  std::vector<RowPass> passes;
  std::vector<FlatStore> row_stores, stores;
  // Not empty: the group is staggered. It is one loop over the row, in which pass number k is at
  // row at[k] and the stores are at row at.back(), each `behind` rows behind the one before, so
  // that the arithmetic of one pass fills the processor beside the memory accesses of the others.
  // What passes find or keep, and what it is called in the passes behind that still need it.
  static constexpr int64_t kLeastStaggered = 16;  // rows; fewer are gone over one by one
  std::vector<const Variable*> at;
  int behind = 1;  // with 2 the numbers that a pass finds have a turn to come about
  int ahead = 0;   // rows before its turn a row is asked for; 0: as the processor finds it
  struct Passed {
    const Scalar* value;
    std::vector<const Scalar*> later;  // [d - 1]: d passes behind
  };
  std::vector<Passed> found, kept;  // in the order of the passes
};

// Sums of the columns of rows that a nest goes along, of which some are added each time that so
// many are complete. They are those of blocks of rows.
struct ColumnSums {
  static constexpr int kRowsAtOnce = 8;  // a block is some times as many
  const Variable* block = nullptr;       // null: none
  const Variable* column = nullptr;      // the variable of the sums' own row
  RowPass pass;                          // across the rows of a block
  std::vector<FlatStore> stores;         // over block and column
  // >= 0: a buffer of which the pass alone reads what the nest stores, and its elements a row: each
  // kRowsAtOnce rows are where the first ones of the block were.
  int passed_on = -1;
  int64_t stride = 0;
};

// How threads may share a step: each does a range of one of its loops. A range is some units; a
// unit is `unit` steps of the loop or, where the loop is over the rows or columns of a
// contraction's tiles, a tile. What is computed does not depend on the ranges.
struct Split {
  const Variable* variable = nullptr;  // null: the step is not shared
  int64_t unit = 1;
  int64_t least_units = 1;  // in a range; 2 * least_units at most
  Polynomial work;          // of the step (passes/threads/work.h)
  int64_t least_work = 0;   // with less it is not worth while
  // > 0: a range runs in blocks of so many units or less, one after the other, so that what a block of rows
  // reads of A stays in the second-level cache for all columns.
  int64_t block_units = 0;
};

// How a step and the one after it take turns: this one for some units of its split, then the next
// for its own part of that, so that what passes between them stays in the cache. A nest and the
// contraction that alone reads what it stores; a contraction and the nest that goes along the rows
// of its results.
struct Turns {
  int64_t units = 0;  // of a turn; 0: this step runs to its end first
  // Of a nest: elements a unit of what it stores; each turn's are where those of the first turn
  // were.
  int64_t stride = 0;
  int64_t scale = 1;  // units of the next step for each of this one's
};

// Stores over loops. A scalar (reductions too) is evaluated in the loop of the innermost variable
// that it depends on, so that a row's maximum and sum are computed once a row.
struct Nest {
  enum class Mode : uint8_t {
    kPlain,  // vectorised along `vector` where accesses have stride 1 (or 0, -1); else element-wise
             // gather
    // Loads whose stride along `vector` is not 0, 1 or -1 have stride 1 along `cross` and stand in
    // no reduction: they are read as tiles of lanes x lanes and transposed in registers. All else,
    // stores too, is evaluated along `vector`.
    kTranspose,
  };
  std::vector<const Variable*> loops;  // all of the stores' variables, outermost first
  const Variable* vector = nullptr;  // one of `loops` (the innermost, mostly), or null: scalar code
  const Variable* cross = nullptr;   // kTranspose: another of `loops`
  // Reduction variables to vectorise when they are the innermost of a reduction that does not
  // depend on `vector`.
  std::vector<const Variable*> vector_reductions;
  // Not null: the innermost loop, `vector` too. What its only store writes is the sum of the
  // store's value over the steps so far.
  const Variable* running = nullptr;
  Mode mode = Mode::kPlain;
  std::vector<Condition> domain;  // stores happen only where all hold (role swap's `m < M`)
  // Where the work is along rows: in each step of the loops around `row` (the innermost of `loops`,
  // or none of them) first the passes, in order, then `row_stores`, then the loop over the row.
  const Variable* row = nullptr;
  std::vector<RowPass> passes;
  std::vector<FlatStore> row_stores;  // that do not depend on `row`
  std::vector<FlatStore> stores;
  // Of so many steps of the loop around the row, in which they are one, so that rows hide each
  // other's latencies and share what does not depend on them. The steps that are left over do what
  // stands above. A row's sums are the same either way.
  RowGroup group;
  ColumnSums sums;      // of two loops, rows and the row
  std::string purpose;  // printed: "pack A", "transpose", "stage", "nest"
  Split split;
  Turns turns;
};

// One operand of a contraction: buffer[offset], offset a form over batch, row/column and K
// variables.
struct Side {
  int buffer = 0;
  Index offset;
  std::string how;  // printed: "direct", "pack=halo", "pack=transpose", ...
};

// The steps [max(first, 0), min(end, extent)) of a K loop: at least one, whatever the loops of m
// are at that the forms depend on. They do not depend on the last of m; all extents are numbers.
struct KRange {
  const Variable* k = nullptr;
  Index first, end;
};

// acc[m, n] = sum over k of A[batch, m, k] * B[batch, k, n], then the epilogue's stores over acc.
// m and k are not empty (a product of a vector has an m of extent 1). The extent of n is a number,
// as are all strides along n, k and the last of m; extents of batch, m and k may be symbolic, and
// may be 0 when called. B has stride 1 along n, or, where it is
// transposed into panels, along the last of k.
struct Contraction {
  std::vector<const Variable*> batch;  // outermost first
  std::vector<const Variable*> m;      // outermost first; the last is the row variable of the tile
  const Variable* n = nullptr;         // the vector variable
  std::vector<const Variable*> k;      // outermost first
  // K loops of which not all steps run, each at most once. A is 0 at the others.
  std::vector<KRange> k_ranges;
  Side a, b;
  DType dtype = DType::kF32;

  int tile_rows = 6,
      tile_vectors = 4;  // rows x (vectors of the target's lanes)
  // > 0: what a call of one row has instead, one row times so many vectors, a multiple of
  // tile_vectors; B is read as it lies.
  int one_row_vectors = 0;
  bool rows_balanced = true;  // row tiles of size b or b + 1 rather than a short last one
  enum class Order : uint8_t { kColumnsOuter, kRowsOuter };
  Order order = Order::kColumnsOuter;
  // > 0: the K loop number k_level runs in blocks of about this many steps (balanced). K loops
  // outside it run around the blocks, those inside, whose extents are numbers, within each. Between
  // blocks the raw sums live at partial_buffer[partial_offset(batch, m, n)] (the output itself
  // where that is one f32 store of acc, else scratch).
  int64_t k_block = 0;
  int k_level = 0;
  int partial_buffer = -1;
  Index partial_offset;
  // >= 0: a scratch buffer into which each K block of B is copied as panels of tile columns before
  // its use.
  int b_panel_buffer = -1;
  int k_unroll = 1;
  bool prefetch_epilogue = false;     // what it reads and writes is fetched before the sum runs
  bool epilogue_in_registers = true;  // else rolled over a stack tile
  std::vector<FlatStore> epilogue;    // over batch, m, n and kAcc(0)
  std::string rule;                   // which row of the tile table fired
  Split split;
  Turns turns;
};

// Bytes of B, of an element of the batch; nullopt: no number.
std::optional<int64_t> BytesOfB(const Contraction& c);

using Step = std::variant<Nest, Contraction>;

// All that a step stores, but for what a group of rows does in place of single ones.
std::vector<std::span<const FlatStore>> StoresOf(const Step& step);

struct Plan {
  std::string kernel;
  std::vector<Buffer> buffers;  // the kernel's, then scratch
  std::vector<Step> steps;
  std::vector<std::string> remarks;  // e.g. why a sum was not recognised as a contraction
};

std::string Print(const Plan& plan);

}  // namespace gradus::loop
