#pragma once

// A model over sequences, one sample at a time: from @forward, which sees all steps of time at
// once, @step, which sees one and remembers what later ones need.
//
//   func @forward(%x: f32[B, T, F], p..) -> (y: f32[B, T, U])
//   func @step(%x: f32[B, F], %state: f32[B, S], p..) -> (y: f32[B, U], state: f32[B, S] in %state)
//
// Axis 1 of every input is time. After the samples 0..t, step gives what forward gives at t; of
// outputs without an axis of time (the last state of a loop) what it gives for the sequence up to
// t. The sums are the same sums, so the bits are, too.
//
// How it is found, from the graph alone: each value is followed along time. What reads nothing but
// its own step is done for one step (the lowering of every op says what it reads); a loop over time
// becomes its body, and its carries a part of the state; ops that look back (OpDef::look_back:
// convolutions with padding in front) find the samples of before in the state. All else is refused
// by name: what looks ahead, goes backwards, or needs all steps at once.

#include <vector>

#include "absl/status/statusor.h"
#include "ir/module.h"

namespace gradus::passes {

// Elements [offset, offset + count) of each row of the state start as `value`, all others as 0.
struct StateFill {
  int64_t offset = 0, count = 0;
  double value = 0;
};
struct OneStep {
  ir::Type state;  // [batch, S]; S may be 0
  std::vector<StateFill> fills;
};

// Adds @step to the module. Errors are diagnostics that name the layer which prevents it.
absl::StatusOr<OneStep> AddOneStep(ir::Module& module);

}  // namespace gradus::passes
