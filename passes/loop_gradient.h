#pragma once

// The gradient of a loop over time: another loop, from the last step to the first, whose body is
// the gradient of the body. It carries the gradients of the carries, and the sums so far of the
// gradients of the invariants.
//
// What the backward loop needs of the forward one:
// * elements of sequences, invariants, constants: taken again from where the forward loop had them;
// * cheap arithmetic and movement of what is at hand anyway: computed again;
// * all else, old values of carries too: saved, as further stacked outputs of the forward loop.

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/function.h"

namespace gradus::passes {

// Gradients of the operands of `loop` (a node with the trait kLoop) for which `wanted` is true, and
// no value for the others and for those that no result depends on. `arrived`: by result, the
// gradient that has arrived there, or no value. The node gets a new body and further results, the
// saved values, behind those that it has.
absl::StatusOr<std::vector<ir::Value>> LoopGradient(ir::Node& loop,
                                                    std::span<const ir::Value> arrived,
                                                    const std::vector<bool>& wanted);

}  // namespace gradus::passes
