#pragma once

// Role swap, for products whose B has no unit stride along n (A * transposed B) and few rows: the
// vectors run along M, and what was B is broadcast.
//
// 1. m = P * mb + ml with P a number of lanes; pack A as [mb][k][ml].
// 2. Contract over batch mb, rows n, vector ml: stage C as [mb][n][ml].
// 3. A transposing nest reads the stage, evaluates the epilogue, and stores.
// With P a constant every stride is one, too, even where M is known only when called; lanes past M
// are never stored.

#include "passes/scheduling/draft.h"

namespace gradus::passes::scheduling {

// What swapping would move, in elements, against a transposition of B, which comes back from memory
// where the last cache does not hold it; nullopt if roles cannot be swapped.
struct SwapCost {
  double swap, transpose;
};
std::optional<SwapCost> CostOfSwap(const Draft& draft, const ir::Target& target);

// Adds the three steps. False with a reason if the swapped product cannot be one.
bool SwapRoles(Planner& planner, const Draft& draft, std::string& why_not);

}  // namespace gradus::passes::scheduling
