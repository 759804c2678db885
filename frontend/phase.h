#pragma once

// A model's graph says at once what a training step computes and what everything else does: where
// the two differ stands by_phase(training, otherwise). Building an entry chooses.

#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "frontend/tensor.h"

namespace gradus {

enum class Phase : uint8_t { kTraining, kInference };

// Copies to the end of `to` the nodes of `from` that `wanted` depend on in a phase, and gives what
// stands there for each of `wanted`. `argument(i)` gives what stands for argument i of `from`; it
// is asked once for each one needed, in order. Where the step of a loop differs, the loop is given
// a step of that phase, which is added to the module of `to`; the module has the loop's own step.
std::vector<Tensor> CopyForPhase(ir::Function& to, const ir::Function& from,
                                 std::span<const Tensor> wanted, Phase phase,
                                 absl::FunctionRef<Tensor(int)> argument);

}  // namespace gradus
