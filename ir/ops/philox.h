#pragma once

// Counter-based random words, Philox 4x32-10: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A word depends on its counter, stream and
// seed alone, so an element's number is the same whatever the order, vector width or thread count
// in which elements are computed.

#include <array>

#include "ir/loop/scalar.h"

namespace gradus::ir {

// Four i32 words (their bits: uniform in [0, 2^32)). The counter is the 128-bit number stream *
// 2^64 + counter, the key is `seed`; all three are i64, read as unsigned.
std::array<loop::Expr, 4> Philox(loop::Expr counter, loop::Expr stream, loop::Expr seed);

// Uniform in [0, 1): a multiple of 2^-24, from the upper 24 bits of an i32 word.
loop::Expr UniformFloat32(loop::Expr word);
// Uniform in [0, 1): a multiple of 2^-53, from 53 bits of two i32 words.
loop::Expr UniformFloat64(loop::Expr low_word, loop::Expr high_word);

}  // namespace gradus::ir
