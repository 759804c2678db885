#pragma once

// Products with few columns, whose vectors would be mostly empty (convolutions to few channels,
// their input gradients): a variable of the sum that A knows only as a place `position - k` of a
// window becomes a column, and is summed over afterwards.
//
//   out[i, j] = sum over k, c of A[i - k, c] * B[k, c, j]
//
// is
//
//   part[u, (k, j)] = sum over c of A[u, c] * B[c, (k, j)]    a product with k times the columns
//   out[i, j] = sum over k of part[i - k, (k, j)]             a nest, with all that is done to sums
//
// Places around A that are 0 are not multiplied, either.

#include "passes/scheduling/draft.h"

namespace gradus::passes::scheduling {

// Adds the nest that lays B out with the variable beside n. Nullopt: no variable of the sum can be
// a column, or it would not pay.
std::optional<Staged> SpreadOverColumns(Planner& planner, const Draft& draft);

}  // namespace gradus::passes::scheduling
