#pragma once

// Which steps take turns (loop::Turns): a packed A of a whole batch, or the results of a batch of
// products, would go through the last cache; those of a few samples stay in the second.

#include <functional>

#include "ir/loop/plan.h"
#include "ir/target.h"

namespace gradus::passes {

// For two steps that follow each other in a plan, with their splits. No turns if they cannot take
// any, or would read B from the last cache for each.
loop::Turns ChooseTurns(const loop::Plan& plan, const loop::Nest& nest,
                        const loop::Contraction& contraction, const ir::Target& target);
loop::Turns ChooseTurns(const loop::Contraction& contraction, const loop::Nest& nest,
                        const ir::Target& target);

// Says in a nest's column sums what it passes on to them. `is_read`: whether anybody but the plan
// reads a buffer of its.
void PassOnToSums(const loop::Plan& plan, loop::Nest& nest,
                  const std::function<bool(int buffer)>& is_read);

}  // namespace gradus::passes
