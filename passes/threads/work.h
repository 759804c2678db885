#pragma once

// How much work a step of a kernel is, in units of one multiplication or addition of a contraction
// (about 0.004 ns on a core with 512-bit units), as a sum of terms in the symbols. An estimate:
// good enough to tell what is worth sharing from what is not.

#include "ir/loop/entry_plan.h"
#include "ir/loop/plan.h"

namespace gradus::passes {

// A batch, and whatever else is known only when called, where it has to be guessed.
inline constexpr double kTypicalSize = 64;

loop::Polynomial WorkOf(const loop::Step& step);
loop::Polynomial WorkOf(const loop::Plan& plan);

// `terms` times `factor`, added to `sum`.
void AddWork(loop::Polynomial& sum, const loop::Polynomial& terms,
             const loop::Extent& factor = loop::Extent(1));
// Of the factors, `one` counts as 1 and every other symbol as `size`.
double WorkAt(const loop::Polynomial& work, double size, ir::Symbol one = {});

}  // namespace gradus::passes
