#pragma once

// From a model and how it is to be trained to one module that holds all entries: a graph, before
// any pass.

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/model.h"
#include "frontend/training/metric_totals.h"
#include "frontend/training_options.h"
#include "frontend/weight_update.h"

namespace gradus {

// The metrics of all outputs, in the order of the entries' results.
std::vector<OutputMetric> OutputMetrics(const Model& model, const TrainingOptions& options);

// The entries, with inputs x.., targets y.., parameters p.., training state s.. (TrainingState):
//   @init(seed: i64[]) -> (p..)
//   @forward(x.., p..) -> (outputs..)
//   @evaluate(x.., y.., p..) -> (loss, sums..)
//   @train_step(x.., y.., p.., s.., learning_rate, step: i64[], seed: i64[])
//       -> (loss, sums.., learning_rate, norms.., p.. in p.., s.. in s.., step in step)
// The sums of metrics are named <metric>/<sum>; they are to be added over batches
// (frontend/metric.h). The learning rate that a step used is a result if there is a schedule, norms
// if they are recorded. `step` counts updates. Of the parameters, a step gives the trainable ones,
// then those that a layer updates (Model::UpdateState); only trainable ones have optimiser state.
// The argument `seed` is there if the model draws random numbers: they follow from seed, step and
// the place of the draw. The step trains (Phase::kTraining, see phase.h), the other entries do not.
// Targets are named target, or target_<output> where there are several outputs; the loss is summed
// over outputs.
absl::StatusOr<std::unique_ptr<ir::Module>> BuildTrainingModule(const Model& model,
                                                                const TrainingOptions& options);
// @init and @forward alone.
absl::StatusOr<std::unique_ptr<ir::Module>> BuildInferenceModule(const Model& model);

}  // namespace gradus
