#pragma once

// From a model and how it is to be trained to one module that holds all entries: a graph, before
// any pass.

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/clipping.h"
#include "frontend/losses.h"
#include "frontend/metrics.h"
#include "frontend/model.h"
#include "frontend/optimizers.h"
#include "frontend/training/metric_totals.h"

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
  Clipping clipping = {};  // of the gradients, before the optimiser sees them
};

// A tensor that steps of training pass on to each other, beside the parameters: an argument of
// @train_step and the result that takes its place.
struct StateTensor {
  std::string name;
  Type type;
  double start = 0;  // every element before the first step
};
// In the order of @train_step's arguments: for each trainable parameter the optimiser's slots.
std::vector<StateTensor> TrainingState(const Model& model, const TrainingOptions& options);

// The metrics of all outputs, in the order of the entries' results.
std::vector<OutputMetric> OutputMetrics(const Model& model, const TrainingOptions& options);

// The entries, with inputs x.., targets y.., parameters p.., optimiser state s.. (named
// <parameter>/<slot>):
//   @init(seed: i64[]) -> (p..)
//   @forward(x.., p..) -> (outputs..)
//   @evaluate(x.., y.., p..) -> (loss, sums..)
//   @train_step(x.., y.., p.., s.., learning_rate, step: i64[], seed: i64[])
//       -> (loss, sums.., p.. in p.., s.. in s.., step in step)
// The sums of metrics are named <metric>/<sum>; they are to be added over batches
// (frontend/metric.h). Of the parameters, a step gives the trainable ones, then those that a layer
// updates (Model::UpdateState); only trainable ones have optimiser state. The argument `seed` is
// there if the model draws random numbers: they follow from seed, step and the place of the draw.
// The step trains (Phase::kTraining, see phase.h), the other entries do not. Targets are named
// target, or target_<output> where there are several outputs; the loss is summed over outputs.
absl::StatusOr<std::unique_ptr<ir::Module>> BuildTrainingModule(const Model& model,
                                                                const TrainingOptions& options);
// @init and @forward alone.
absl::StatusOr<std::unique_ptr<ir::Module>> BuildInferenceModule(const Model& model);

}  // namespace gradus
