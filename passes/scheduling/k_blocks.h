#pragma once

// Long sums in blocks, each with its rows of B copied side by side: for products whose B is large,
// or whose rows of B share cache sets.

#include "passes/scheduling/draft.h"

namespace gradus::passes::scheduling {

// Sets the blocks, the panels of B and the place of sums between blocks, where they pay.
void BlockLongSum(Planner& planner, loop::Contraction& contraction);

}  // namespace gradus::passes::scheduling
