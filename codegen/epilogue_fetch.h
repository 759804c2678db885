#pragma once

// What the epilogue of a register tile reads and writes is asked for while its sum runs, a line of
// each buffer every few steps of K. (All at once they would keep what the sum reads from arriving:
// 3x3, 64 to 64 channels with a mask from memory, 32 images of 32x32, Zen 5: 9.4 ms, at once 10.1.)
// Private to codegen.

#include <vector>

#include "codegen/tiling.h"

namespace gradus::codegen {

class EpilogueFetch {
 public:
  EpilogueFetch(Frame& frame, const Tiling& tiling, TileSize size)
      : frame_(frame), t_(tiling), size_(size), b_(frame.builder()) {}

  // At the tile's start, with its columns vectorised. `last`: whether the epilogue follows, where
  // that is known only at run time. What a short sum would leave no time for is asked for here.
  void Begin(llvm::Value* last);
  // At a step of K whose variables are bound; nothing if nothing is left.
  void Step();

 private:
  struct Place {
    int buffer;
    DType dtype;
    const loop::Index* offset;
    bool written;
    llvm::Value* begin = nullptr;  // where the tile starts
  };
  std::vector<Place> FindPlaces() const;
  int64_t Lines() const { return int64_t{size_.rows} * size_.vectors; }
  int64_t StepsOfSum() const;
  void FetchAll(const std::vector<Place>& places);
  void Fetch(llvm::Value* address, bool written);

  Frame& frame_;
  const Tiling& t_;
  const TileSize size_;
  llvm::IRBuilder<>& b_;
  std::vector<Place> places_;     // of which Step takes a line each
  llvm::Value* lines_ = nullptr;  // a mask: none where the epilogue does not follow
  int64_t lines_per_step_ = 0;    // in units of 2^-16
};

}  // namespace gradus::codegen
