#pragma once

// A block as one nest: which variable to vectorise along, what to transpose, which reductions to
// vectorise.

#include "ir/target.h"
#include "passes/scheduling/blocks.h"

namespace gradus::passes::scheduling {

// 1. Drop loops of one pass, split atoms, sort and merge: what is left is what runs.
// 2. Vectorise along the variable with stride 1 in the stores; but where the reductions that depend
// on it would gather
//    more than along their own variables, vectorise those instead (row sums, dot products).
// 3. Reductions that do not depend on the vector variable are vectorised along their innermost
// variable.
// 4. No reduction, and the loads have stride 1 along another loop: a transposing nest.
// A running sum is carried where it runs along the unit stride, and elsewhere added to what its
// step before has stored.
loop::Nest MakeNest(Arena& arena, Block block, const ir::Target& target, std::string purpose);

}  // namespace gradus::passes::scheduling
