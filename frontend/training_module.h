#pragma once

// From a model and how it is to be trained to one module that holds all entries: a graph, before
// any pass.

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/losses.h"
#include "frontend/metrics.h"
#include "frontend/model.h"
#include "frontend/optimizers.h"

namespace gradus {

// Any optimiser, as a value: `.optimizer = Adam{}`.
class AnyOptimizer {
 public:
  template <typename O, typename = std::enable_if_t<std::is_base_of_v<Optimizer, O>>>
  AnyOptimizer(O optimizer)
      : optimizer_(std::make_shared<const O>(std::move(optimizer))) {}  // NOLINT
  const Optimizer& operator*() const { return *optimizer_; }
  const Optimizer* operator->() const { return optimizer_.get(); }

 private:
  std::shared_ptr<const Optimizer> optimizer_;
};

struct TrainingOptions {
  AnyOptimizer optimizer = SGD{};
  Loss loss = mean_squared_error;
  std::vector<Metric> metrics;
};

// The entries, with inputs x.., targets y.., parameters p.., optimiser state s.. (named
// <parameter>/<slot>):
//   @init(seed: i64[]) -> (p..)
//   @forward(x.., p..) -> (outputs..)
//   @evaluate(x.., y.., p..) -> (loss, metrics..)
//   @train_step(x.., y.., p.., s.., learning_rate, step: i64[])
//       -> (loss, metrics.., p.. in p.., s.. in s.., step in step)
// Targets are named target, or target_<output> where there are several outputs; the loss is summed
// over outputs.
absl::StatusOr<std::unique_ptr<ir::Module>> BuildTrainingModule(const Model& model,
                                                                const TrainingOptions& options);
// @init and @forward alone.
absl::StatusOr<std::unique_ptr<ir::Module>> BuildInferenceModule(const Model& model);

}  // namespace gradus
