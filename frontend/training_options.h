#pragma once

// How a model is to be trained: what Compile builds into the training step.

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "frontend/clipping.h"
#include "frontend/losses.h"
#include "frontend/metrics.h"
#include "frontend/model.h"
#include "frontend/optimizers.h"
#include "frontend/regularizers.h"
#include "frontend/schedules.h"

namespace gradus {

struct TrainingOptions {
  AnyOptimizer optimizer = SGD{};
  Loss loss = mean_squared_error;
  std::vector<Metric> metrics;
  // These count samples by their weights; named weighted_<metric>.
  std::vector<Metric> weighted_metrics = {};
  // The entries take an argument sample_weight [B] after the targets (see Loss); data brings it as
  // one more target.
  bool sample_weights = false;
  // Penalties on weights, added to the loss.
  std::vector<Regularizer> regularizers = {};
  // What the learning rate is multiplied by, from update to update.
  Schedule schedule = {};
  // Of the gradients, before the optimiser sees them.
  Clipping clipping = {};
  // Weights move once in so many steps, by the gradient of all the samples of these steps: for mean
  // losses as if they had been one batch. Steps that belong together may be of different sizes.
  // What is left over at an epoch's end goes on in the next.
  int64_t accumulate_batches = 1;
  // > 0: an exponential moving average of the weights, a = decay a + (1 - decay) p after each
  // update, from the weights before the first. See Trainer::UseAverages.
  double average_decay = 0;
  // The step gives the Euclidean norm of each trainable parameter and of its gradient (before
  // clipping and accumulation), named <parameter>/weight_norm and <parameter>/gradient_norm.
  bool record_norms = false;
};

// Whether the options make sense, by themselves and for the model.
absl::Status CheckOptions(const Model& model, const TrainingOptions& options);

}  // namespace gradus
