#pragma once

// Plans one kernel: contractions where a sum is one, nests for the rest.
//
// For each block of stores over the same loops:
// 1. Where a sum has a term only if a stride divides something, a block for each residue; those of
// as many steps that sum nothing become one again.
// Split index atoms, so that reshapes become affine.
// 2. Recognise sums. One that the stores' own loops make a contraction is the block's own; its
// statements become the
//    epilogue. Any other contraction in the block (inside another reduction, over fewer loops, a
//    second product) is computed into scratch first, by this same procedure, and loaded; so are
//    reductions that an epilogue would hold.
// 3. Merge loops; pack sides that are not plain loads; where B has no stride 1 along n, transpose
// it or swap roles,
//    whichever moves fewer elements.
// 4. Choose the tile from the table. A block without a contraction is one nest.
// Where steps of the plan turn out to compute the same sum, all is planned anew with that sum in
// memory (shared_sums.h).

#include "absl/status/statusor.h"
#include "ir/target.h"
#include "passes/scheduling/blocks.h"
#include "passes/scheduling/choice.h"

namespace gradus::passes::scheduling {

// `in_loop`: a loop over time calls it, which threads share by rows of the batch. `choices` of its
// contractions, in the order of the plan; an error if one cannot be followed.
absl::StatusOr<std::unique_ptr<loop::Plan>> ScheduleKernel(const loop::Kernel& kernel,
                                                           const ir::Target& target,
                                                           bool in_loop = false,
                                                           std::span<const Choice> choices = {});

}  // namespace gradus::passes::scheduling
