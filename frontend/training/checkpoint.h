#pragma once

// A checkpoint: one safetensors file with all that a training needs to go on to the same bits as if
// it had never stopped. Written as a whole or not at all (runtime/files.h).
//
//   hidden.kernel ...                  weights and layers' states under their own names, so that
//                                      Trainer::LoadWeights reads a checkpoint too
//   gradus/optimizer/<slot> ...        "gradus/optimizer/hidden.kernel/m"
//   gradus/step, seed, learning_rate   steps so far; what random layers draw from; the rate
//   gradus/fit/...                     epochs and steps done, sums of the running epoch
//   gradus/callbacks/<i>.<name>/...    numbers and tensors of each callback
//   metadata                           format, version, model, and the history as JSON
//
// The order of samples needs no more than Fit's seed and the epoch (frontend/data/batches.h), and
// random layers no more than their seed and the step.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "frontend/training/callbacks.h"
#include "frontend/training/history.h"

namespace gradus {

class Trainer;

// What the batches of a training follow from: a resumed one must have the same.
struct FitKey {
  int64_t samples = 0, batch_size = 0;
  bool shuffle = true;
  uint64_t seed = 0;
};

// Where Fit stands.
struct FitPosition {
  int64_t epoch = 1;           // the one that is running or next
  int64_t steps_done = 0;      // of it
  int64_t step = 0;            // of all epochs
  std::vector<double> totals;  // sums over its steps (MetricTotals::State)
};

absl::Status WriteCheckpoint(std::string_view path, const Trainer& trainer, const FitKey& key,
                             const FitPosition& position, const History& history,
                             std::span<const AnyCallback> callbacks);

struct ResumedFit {
  FitPosition position;
  History history;
};

// Puts all of the file into trainer and callbacks. Checks everything that it can first: on an error
// the trainer is as before. Errors name the file and what does not fit: another model, another
// batch size, other callbacks.
absl::StatusOr<ResumedFit> ReadCheckpoint(std::string_view path, Trainer& trainer,
                                          const FitKey& key,
                                          std::span<const AnyCallback> callbacks);

}  // namespace gradus
