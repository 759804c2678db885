#pragma once

// The tiles of rows of a contraction. Private to codegen.

#include <functional>

#include "codegen/tiling.h"

namespace gradus::codegen {

using RowTileBody = std::function<void(llvm::Value* first_row, int rows)>;

// Emits the loops over the tiles of rows, with `body` for each number of rows that a tile can have.
void ForEachRowTile(Frame& frame, const Tiling& tiling, const RowTileBody& body);

// Of two signed integers.
llvm::Value* Least(llvm::IRBuilder<>& b, llvm::Value* x, llvm::Value* y);
llvm::Value* Largest(llvm::IRBuilder<>& b, llvm::Value* x, llvm::Value* y);

}  // namespace gradus::codegen
