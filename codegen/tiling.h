#pragma once

// What the loops around a contraction's register tiles (emit_contraction.cpp) and the functions of
// the tiles (emit_tile.cpp) both know. Private to codegen.

#include <compare>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "codegen/frame.h"

namespace gradus::codegen {

struct TileSize {
  int rows = 0, vectors = 0;
  int tail = 0;  // lanes of the last vector; 0: all
  // The call's one row: B is read as it lies, and nothing is fetched ahead.
  bool alone = false;
  auto operator<=>(const TileSize&) const = default;
};

// What is the same for all tiles of one contraction.
// Steps of K in which a row of the panel that is copied next is fetched, and the parts of its rows
// that tiles take turns with.
inline constexpr int64_t kFetchSteps = 4;

struct Tiling {
  Tiling(ModuleEmitter& emitter, const loop::Contraction& contraction,
         const std::vector<loop::Buffer>& plan_buffers,
         const std::vector<ir::Symbol>& module_symbols);

  llvm::Align Align() const;  // of an element in memory
  llvm::Value* Number(int64_t n) const;
  llvm::Constant* TailMask(int tail) const;  // the first `tail` lanes
  // The vector at `address`; 0 past its first `tail` lanes, which alone are read. 0: all lanes.
  llvm::Value* LoadVector(llvm::IRBuilder<>& b, llvm::Value* address, int tail) const;

  ModuleEmitter& e;
  const loop::Contraction& c;
  const std::vector<loop::Buffer>& buffers;
  const std::vector<ir::Symbol>& symbols;
  int lanes = 0;
  llvm::Type* element = nullptr;  // in memory
  int64_t columns = 0;            // of a whole tile
  int64_t row_stride = 0;         // of A
  const loop::Variable* row = nullptr;
  bool blocked = false;                           // K in blocks, sums in memory between them
  std::span<const loop::Variable* const> tile_k;  // the K loops within a tile, outermost first
  int64_t inner_terms = 1;                        // of all of them but the first, if blocked
  // B does not fit the second-level cache: while one panel of its columns is used by all rows, each
  // tile of rows fetches a vector of the next panel, which would otherwise arrive at the latency of
  // the third level (32x512x784 on Zen 5: 215 GFLOP/s instead of 190).
  bool fetches_ahead = false;
  // B is somewhat larger than the second-level cache: tiles of one row ask for it some rows ahead
  // (1 x 512 x 784 on Zen 5: 14.0 us, without 14.7; but a B of 17 MiB took 5 % longer).
  bool streams_b = false;
  // A panel of B is copied just before all rows use it. What fetches ahead then fetches what the
  // next one will be copied of.
  bool copies_as_it_goes = false;
  // B lies along k and is transposed into its panels.
  bool transposes_panels = false;
  // The range of a K loop; null: all of it runs.
  const loop::KRange* RangeOf(const loop::Variable* k) const;
  // Its steps [first, second), where the loops of m are bound.
  std::pair<llvm::Value*, llvm::Value*> StepsOf(Frame& frame, const loop::KRange& range) const;
  // What the epilogue, the partial results and ranges of K need.
  std::vector<int> used_buffers;
  std::vector<const loop::Variable*> used_variables;

 private:
  bool FetchesAhead() const;
  bool StreamsB() const;
  void FindUsed();
  void UseVariable(const loop::Variable* v);
};

// The function of a tile of that size:
//
//   void tile(ptr a, ptr b, ptr used_buffer..., index used_variable..., index symbol...,
//             [index k_count, i1 first, i1 last], [index ahead])
//
// a and b: where the tile's rows and columns start at the first k. The group in brackets is there
// if K is blocked (this block's length, and whether it is the first and the last), `ahead` if the
// tile fetches ahead: how many elements, or, where panels are copied as it goes, from where on.
llvm::Function* EmitTile(const Tiling& tiling, TileSize size, const std::string& name);

}  // namespace gradus::codegen
