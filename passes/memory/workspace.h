#pragma once

// The workspace of an entry: which bytes of it a value or scratch gets, for as long as it lives.
//
// Sizes are polynomials in the symbols, so that which of two is larger may depend on the call.
// Blocks are therefore placed for typical sizes (placement.h), and what is kept of that is which of
// two blocks that live at once lies below the other. An offset is then the largest of the ends of
// the blocks below, whatever the sizes are, so that no two overlap in any call.

#include <span>
#include <vector>

#include "ir/loop/kernel.h"
#include "ir/loop/size.h"
#include "passes/memory/placement.h"

namespace gradus::passes {

// A size in bytes: constant * product(factors) of a value or of scratch.
loop::SizeTerm BytesOf(const ir::Type& type);
loop::SizeTerm BytesOf(const loop::Buffer& scratch);

class Workspace {
 public:
  // A block of `bytes` (64-byte aligned) from step `begin` on.
  int Allocate(const loop::SizeTerm& bytes, int begin);
  // `end` is the last step in which the block lives.
  void Release(int block, int end);

  struct Layout {
    std::vector<loop::Maximum> offsets;  // by block
    loop::Maximum bytes;
    loop::Maximum live;  // the most bytes that live at once
  };
  // A block's size at `size`, and when it lives; to `last` if it was not released.
  Block BlockAt(int block, int last, const loop::SizeOf& size) const;
  // Blocks that were not released live to `last`. `typical`: what sizes the order is chosen for.
  Layout Place(int last, const loop::SizeOf& typical) const;

 private:
  struct SizedBlock {
    loop::SizeTerm bytes;    // of the value
    loop::SizeTerm rounded;  // to whole cache lines
    int begin = 0, end = -1;
  };
  Layout LayoutFor(int last, const loop::SizeOf& typical) const;
  loop::Maximum MostLive(std::span<const Block> lives) const;

  std::vector<SizedBlock> blocks_;
};

}  // namespace gradus::passes
