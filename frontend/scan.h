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
#include "frontend/random_key.h"
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
  std::vector<RandomKey> keys;  // one for each of ScanOptions::keys, others in every step
};

// What the step gives, new carries of the old ones' types and any outputs; and what the loop gives,
// the last carries and the outputs stacked, [T, ...].
struct ScanValues {
  std::vector<Tensor> carries, outputs;
};

struct ScanOptions {
  bool reverse = false;  // from the last step to the first
  Dim length{0};         // T where there are no sequences to take it from
  // For what is random in a step, one for each draw (Model::NextRandomKey). Step t, counted from 0
  // in the order of the sequences, is given the same stream, and seed + (t + 1) * kStepSeed: other
  // numbers in every step of every training step, the same ones when it is run again, as the
  // gradient does.
  //   Scan("walk", {.carries = {h}, .sequences = {xs}}, [](const ScanStep& s) {
  //     return ScanValues{.carries = {dropout(s.carries[0], s.keys[0], 0.2) + s.elements[0]}};
  //   }, {.keys = {model.NextRandomKey()}});
  std::vector<RandomKey> keys;
};

// 2^64 divided by the golden ratio: seeds of steps and those that users choose do not meet.
inline constexpr int64_t kStepSeed = -0x61c8864680b583eb;

// `name` stands in dumps. At least one operand is needed.
ScanValues Scan(const std::string& name, const ScanOperands& operands,
                absl::FunctionRef<ScanValues(const ScanStep&)> step,
                const ScanOptions& options = {},
                const std::source_location& where = std::source_location::current());

}  // namespace gradus
