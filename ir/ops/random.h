#pragma once

// Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", 2011). Element e (row-major) of a draw depends on (seed, stream, e) alone: not on
// threads, nor on how the shape is split.

#include "ir/builder.h"

namespace gradus::ir {

// seed, stream: i64 scalars. `shape` float of f32 or f64, in [0, 1).
Value random_uniform(Operand seed, Operand stream, const Type& type);
// Standard normal (Box-Muller).
Value random_normal(Operand seed, Operand stream, const Type& type);

}  // namespace gradus::ir
