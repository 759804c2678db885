#pragma once

// Work along rows (softmax, normalisation, their gradients) as passes over a row that is in cache,
// so that memory is read once: see loop::Nest::passes.

#include "ir/target.h"
#include "passes/scheduling/forms.h"

namespace gradus::passes::scheduling {

// 1. The row: the innermost loop, if it is vectorised; else, where every store is one a row, what
//    the reductions run over.
// 2. Reductions over as many elements run over the row's variable, so that what they have in common
//    with each other and with the stores is one scalar.
// 3. A reduction belongs to the first pass in which all that it needs is known. Those of a pass
//    share its loads.
// 4. What a pass computes at some cost and something later needs again is kept.
// Does nothing to a nest in which no reduction runs along a row.
void FormRowPasses(Arena& arena, loop::Nest& nest, const ir::Target& target);

}  // namespace gradus::passes::scheduling
