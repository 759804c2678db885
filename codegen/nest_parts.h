#pragma once

// What plain nests (emit_nest.cpp) and nests along rows (emit_row_nest.cpp) share. Private to
// codegen.

#include <optional>
#include <span>
#include <vector>

#include "codegen/frame.h"

namespace gradus::codegen {

// Loads of a nest's values, each with the guards around it. A scalar that stands under several
// different guards is visited under each.
struct GuardedLoad {
  const loop::Scalar* load;
  std::vector<const loop::Scalar*> guards;
  bool in_reduction;
};

std::vector<GuardedLoad> LoadsOf(std::span<const loop::FlatStore> stores);

// nullopt: no constant stride.
std::optional<int64_t> Stride(const loop::Index& form, const loop::Variable* v);
// 1, 0 or -1.
bool IsContiguous(std::optional<int64_t> stride);

std::vector<const loop::Scalar*> ValuesOf(const loop::Nest& nest);

// At most `copies` vectors at a time; so many that nothing is left over, if there is such a number
// not much smaller.
int CopiesWithoutRest(const loop::Extent& extent, int lanes, int64_t copies);

void EmitStores(Frame& frame, std::span<const loop::FlatStore> stores,
                const std::vector<loop::Condition>& domain);

void EmitRowNest(Frame& frame, const loop::Nest& nest);

}  // namespace gradus::codegen
