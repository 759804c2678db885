#pragma once

// Products with few columns: rows that A knows only as places `row + k` of a window become columns
// beside those that there are, all rows or a few side by side (row = L * h + l).
//
//   out[h, l, j] = sum over k of A[L * h + l + k] * B[k, j]
//
// is, with zeros where u - l lies outside of B,
//
//   out[h, (l, j)] = sum over u of A[L * h + u] * B[u - l, j]
//
// a product with L times the columns, 1 / L of the rows, and L - 1 more terms. B is laid out
// 1. as [u][l][j], where it is small (a convolution to few channels): columns are where they were;
// 2. or copied once with zeros around it (the gradient of a kernel, whose B is the gradient of the
//    result): u - l and j are neighbours there, so that a row of B is one for all l, from the last
//    to the first. What comes out is brought into order by a nest.

#include "passes/scheduling/draft.h"

namespace gradus::passes::scheduling {

// Adds the nests that lay out B and what else is known by column alone. Nullopt: no rows can become
// columns, or it would not pay.
std::optional<Staged> WidenColumns(Planner& planner, const Draft& draft);

}  // namespace gradus::passes::scheduling
