#pragma once

// Steps of a sum at which A is 0 need not run: the rows of zeros around an image, for the rows of a
// convolution at its edges; for the gradient of its weights the positions at which a weight lies
// beside the image. Of 3x3 weights over 8x8 positions that is a sixth of all products, over 4x4
// nearly a third.

#include "passes/scheduling/draft.h"

namespace gradus::passes::scheduling {

// The conditions of guards around `a`, which was the draft's A before it was packed, that leave out
// enough: each of one loop of k and one of m which is not the rows of a tile. For a draft whose A
// is packed and whose loops are not merged yet.
std::vector<loop::Condition> ConditionsOfSteps(const Planner& planner, Draft draft,
                                               const Scalar* a);

// How much of all steps the draft's conditions leave out, of 1.
double LeftOut(const Draft& draft);

// What the draft's conditions say of K, but for those of the variable `rows`.
std::vector<loop::KRange> RangesOf(Arena& arena, const Draft& draft, const Variable* rows);

}  // namespace gradus::passes::scheduling
