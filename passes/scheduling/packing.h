#pragma once

// A side of a contraction that is not a plain load is packed: a nest evaluates its scalar into
// scratch, once per element. This one mechanism is prologue, transposition and whatever a guard or
// an index atom asks for.

#include "passes/scheduling/draft.h"

namespace gradus::passes::scheduling {

// Adds a nest that stores `value`.
void Pack(Planner& planner, Variables loops, const Planner::Laid& to, const Scalar* value,
          const char* purpose);

// Sums along which A is read backwards run the other way round: then loops that follow each other
// in A can be one. For a draft whose B is to be packed, in any order.
void ReadForwards(Arena& arena, Draft& draft);

// Adds the nest that evaluates A in its own order; draft.a loads the scratch.
void PackA(Planner& planner, Draft& draft);
// The same in B's order of the sums, if along them B's strides are numbers in that order only, and
// A has fewer rows than B columns; else false. (The gradient of a recurrent cell's input weights:
// the inputs are [B, T, F], the gates' gradients [T, B, 4H].)
bool PackAInOrderOfB(Planner& planner, Draft& draft);
// The same for B with its rows along n: a transposition where n had no unit stride.
void PackB(Planner& planner, Draft& draft);

// The variables of a side as its largest load orders them, outermost first; those of symbolic
// extent come first.
Variables OwnOrder(const Scalar* side);

}  // namespace gradus::passes::scheduling
