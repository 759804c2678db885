#pragma once

// Loops over time for users: the step is a function of tensors, written once and compiled once,
// whatever the number of steps.
//
//   // Exponential averages of xs [T, B, 8].
//   ScanValues r = Scan("average", {.carries = {h0}, .sequences = {xs}}, [](const ScanStep& s) {
//     Tensor h = 0.9 * s.carries[0] + 0.1 * s.elements[0];
//     return ScanValues{.carries = {h}, .outputs = {h}};
//   });
//   Tensor last = r.carries[0], all = r.outputs[0];   // [B, 8], [T, B, 8]

#include <source_location>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "frontend/tensor.h"

namespace gradus {

struct ScanOperands {
  std::vector<Tensor> carries;     // before the first step
  std::vector<Tensor> sequences;   // [T, ...]: time is the first axis
  std::vector<Tensor> invariants;  // what every step sees whole: weights
};

// What the step is given, tensors of a function of its own: only these may be used in it.
struct ScanStep {
  std::vector<Tensor> carries, elements, invariants;
};

// What the step gives, new carries of the old ones' types and any outputs; and what the loop gives,
// the last carries and the outputs stacked, [T, ...].
struct ScanValues {
  std::vector<Tensor> carries, outputs;
};

struct ScanOptions {
  bool reverse = false;  // from the last step to the first
  Dim length{0};         // T where there are no sequences to take it from
};

// `name` stands in dumps. At least one operand is needed.
ScanValues Scan(const std::string& name, const ScanOperands& operands,
                absl::FunctionRef<ScanValues(const ScanStep&)> step,
                const ScanOptions& options = {},
                const std::source_location& where = std::source_location::current());

}  // namespace gradus
