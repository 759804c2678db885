#pragma once

// A sum is one value. Steps that each compute it for themselves may add up in different orders, and
// then it no longer equals itself: the gradient of a minimum looks for the element that equals it,
// and would find none. What two steps of a plan would sum is summed once, and stored.

#include "passes/scheduling/draft.h"

namespace gradus::passes::scheduling {

// Given the blocks of a kernel (FormBlocks) and a plan of them: finds the sums and products of
// floats that several of its steps compute, gives each a block of its own, which stores it in new
// scratch, in front of those that read it, and loads of that scratch in their places. False: there
// are none, the plan stands. Otherwise the blocks are to be planned anew, with the scratch that
// `planner` has by then among the buffers.
bool StoreSharedSums(Planner& planner, const loop::Plan& plan, std::vector<Block>& blocks);

}  // namespace gradus::passes::scheduling
