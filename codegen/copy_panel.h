#pragma once

// Part of B, a block of K and the columns of a tile, copied into a panel [k][columns]: rows side by
// side, or, where they lie along k, transposed in registers. Private to codegen.

#include "codegen/tiling.h"

namespace gradus::codegen {

struct PanelPart {
  llvm::Value* panel;          // where it goes
  llvm::Value* column;         // its first
  llvm::Value *begin, *count;  // steps of the block's K loop
  int vectors, tail;           // of its columns; what is past the tail of the last is undefined
};
void EmitCopyPanel(Frame& frame, const Tiling& tiling, const PanelPart& part);

}  // namespace gradus::codegen
