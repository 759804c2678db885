#pragma once

// Long sums in blocks, each with its rows of B copied side by side: for products whose B is large,
// or whose rows of B, or steps of A, share cache sets.

#include "passes/scheduling/draft.h"

namespace gradus::passes::scheduling {

// Sets the blocks, the panels of B and the place of sums between blocks, where they pay.
void BlockLongSum(Planner& planner, loop::Contraction& contraction);

// The same for a B with stride 1 along the innermost sum rather than along n, which is transposed
// into its panels; false, and nothing done, if that does not pay or cannot be.
bool BlocksInPanels(Planner& planner, loop::Contraction& contraction);
// Whether the draft's B is large enough for that.
bool MayTransposeInPanels(const Planner& planner, const Draft& draft);

}  // namespace gradus::passes::scheduling
