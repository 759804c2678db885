#pragma once

// Rows of a nest in one loop in which each pass is at another row: see loop::RowGroup::at. The
// short passes run beside the long one, and none waits for the number that the one before it found
// (softmax of 256x1000 takes 0.75 of the time).

#include "ir/target.h"
#include "passes/scheduling/forms.h"

namespace gradus::passes::scheduling {

// Fills nest.group from nest.passes (rows.h) where that can be and pays; else does nothing and says
// false. `within` is the innermost loop around the row.
bool StaggerRows(Arena& arena, loop::Nest& nest, const ir::Target& target, const Variable* row,
                 const Variable* within);

}  // namespace gradus::passes::scheduling
