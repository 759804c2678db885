#include "frontend/training_options.h"

#include <algorithm>
#include <string>

#include "fmt/format.h"
#include "frontend/training_module.h"

namespace gradus {
namespace {

absl::Status CheckMetrics(const Model& model, const TrainingOptions& options) {
  std::vector<std::string> names = {"loss"};
  for (const OutputMetric& m : OutputMetrics(model, options)) {
    if (std::ranges::find(names, m.name) != names.end()) {
      return ir::Diagnostic{.message = fmt::format("metric {} is there already", m.name),
                            .help = "give every metric a name of its own"}
          .ToStatus();
    }
    names.push_back(m.name);
  }
  if (options.weighted_metrics.empty() || options.sample_weights) return absl::OkStatus();
  return ir::Diagnostic{.message = "weighted_metrics need sample weights",
                        .help = "set sample_weights, or list them under metrics"}
      .ToStatus();
}

// Class numbers stand for positions along the prediction's last axis.
absl::Status CheckLoss(const Model& model, const TrainingOptions& options) {
  const Loss& loss = options.loss;
  if (absl::Status s = loss.Check(options.sample_weights); !s.ok()) return s;
  if (!loss.sparse()) return absl::OkStatus();
  for (const ir::Result& r : model.forward().results()) {
    if (r.value.rank() > 0) continue;
    return ir::Diagnostic{.location = r.value.node()->location(),
                          .message = fmt::format("{} needs one score a class, but output {} is {}",
                                                 loss.name(), r.name, ir::ToString(r.value.type())),
                          .help = "the last axis of the output must count the classes"}
        .ToStatus();
  }
  return absl::OkStatus();
}

absl::Status CheckNumbers(const TrainingOptions& options) {
  const auto refuse = [](std::string message) {
    return ir::Diagnostic{.message = std::move(message)}.ToStatus();
  };
  if (options.accumulate_batches < 1) {
    return refuse(fmt::format("accumulate_batches is {}, expected 1 (an update a step) or more",
                              options.accumulate_batches));
  }
  if (!(options.average_decay >= 0 && options.average_decay < 1)) {
    return refuse(
        fmt::format("average_decay is {}, expected 0 (no average) or more and less than 1",
                    options.average_decay));
  }
  if (options.clipping && !(options.clipping.limit > 0)) {
    return refuse(
        fmt::format("gradients are clipped at {}, expected more than 0", options.clipping.limit));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckOptions(const Model& model, const TrainingOptions& options) {
  std::vector<std::string> trainable;
  for (const ir::Parameter& p : model.module().parameters()) {
    if (p.trainable) trainable.push_back(p.name);
  }
  if (absl::Status s = CheckNumbers(options); !s.ok()) return s;
  if (absl::Status s = CheckRegularizers(options.regularizers, trainable); !s.ok()) return s;
  if (absl::Status s = CheckLoss(model, options); !s.ok()) return s;
  return CheckMetrics(model, options);
}

}  // namespace gradus
