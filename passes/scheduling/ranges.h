#pragma once

// Stores whose value is another expression in each range of an axis (the sum of padded slices that
// the gradient of a concatenation or of gates side by side is): one block a range, so that nothing
// is evaluated where it is known to be 0, and blocks over loops of equal length as one, so that
// what the ranges share is evaluated once.

#include "passes/scheduling/blocks.h"

namespace gradus::passes::scheduling {

// The block in ranges of one of its loops, between the bounds of the guards that compare this loop
// with numbers. Nullopt: it has no such guards, it sums, or a range would be shorter than
// `shortest`.
std::optional<std::vector<Block>> SplitRanges(Arena& arena, const Block& block, int64_t shortest);

// Blocks next to each other over loops of equal lengths become one where no store of one can touch
// what the other reads or writes.
void JoinEqualLoops(Arena& arena, std::span<const loop::Buffer> buffers,
                    std::vector<Block>& blocks);

}  // namespace gradus::passes::scheduling
