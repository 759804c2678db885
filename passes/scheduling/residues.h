#pragma once

// Strides that divide. The gradient of a strided convolution (or pooling) reads at (y - k) /
// stride, where there is no rest. For each residue of y modulo the stride one residue of k alone
// leaves none: a block for each, in which y and k are counted in steps of the stride, is affine
// again, and sums nothing that is 0. With one k alone (a window of one step) most residues sum
// nothing at all.

#include <optional>
#include <vector>

#include "passes/scheduling/blocks.h"

namespace gradus::passes::scheduling {

// The blocks that together do what `block` does, or nullopt if no loop of it can be split so.
// Splits along one loop; the blocks may be split again along another.
std::optional<std::vector<Block>> SplitResidues(Arena& arena, const Block& block);

}  // namespace gradus::passes::scheduling
