#pragma once

// Blocks over the same rows as one, so that a row is read from memory once for all of them: a loss
// and its gradient, both gradients of a normalisation.

#include "passes/scheduling/blocks.h"

namespace gradus::passes::scheduling {

// True if `next`, which comes right after `block`, has become part of it:
// 1. Its loops run as far as those of `block`, or one of the two has one more, the innermost, along
//    rows, and the other one number a row.
// 2. They read the same memory, or `next` reads what `block` computes; reductions run along rows.
// 3. What `next` loads of what `block` stores is a value of `block`, at the same place or, in a
//    reduction that is one number a row, elsewhere in the same row.
bool JoinRows(Arena& arena, Block& block, Block& next);

}  // namespace gradus::passes::scheduling
