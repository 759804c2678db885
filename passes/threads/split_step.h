#pragma once

// Which loop of a step threads may share.

#include "ir/loop/plan.h"
#include "ir/target.h"

namespace gradus::passes {

// The outermost loop that has enough to share, or else the one that has most; none (variable null)
// for a step that is too small at typical sizes, or whose parts would write to the same place: a
// sum over the loop is never shared, so that its order is that of the shapes.
loop::Split ChooseSplit(const loop::Nest& nest, const ir::Target& target);
loop::Split ChooseSplit(const loop::Contraction& contraction, const ir::Target& target);

}  // namespace gradus::passes
