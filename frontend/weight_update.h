#pragma once

// What a training step does between gradients and new weights: accumulates, clips, applies the
// schedule and the optimiser, averages. Graph code.

#include <span>
#include <string>
#include <vector>

#include "frontend/training_options.h"

namespace gradus {

// A tensor that steps of training pass on to each other, beside the parameters: an argument of
// @train_step and the result that takes its place.
struct StateTensor {
  std::string name;
  Type type;
  double start = 0;  // every element before the first step
};
// In the order of @train_step's arguments:
//   for each trainable parameter the optimiser's slots, <parameter>/<slot>;
//   if gradients are accumulated, <parameter>/gradient for each, accumulated_samples and
//   accumulated_batches (i64);
//   if weights are averaged, <parameter>/average for each.
std::vector<StateTensor> TrainingState(const Model& model, const TrainingOptions& options);

struct UpdateInput {
  std::span<const Tensor> parameters, gradients;  // the trainable ones
  std::span<const Tensor> state;                  // as TrainingState lists it
  Tensor learning_rate;                           // scalar of the parameters' dtype
  Tensor step;                                    // i64 scalar: updates so far
  Tensor samples;  // of this batch, as float; needed where gradients are accumulated
};
struct UpdateOutput {
  std::vector<Tensor> parameters, state;
  Tensor learning_rate;  // after the schedule
  Tensor step;           // updates, this one included
};
UpdateOutput UpdateWeights(const UpdateInput& in, const TrainingOptions& options);

// A number of @train_step's call that differs from batch to batch, also where several make one
// update: what random keys follow from.
Tensor BatchNumber(Tensor step, std::span<const Tensor> state, const TrainingOptions& options);

}  // namespace gradus
