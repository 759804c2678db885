#pragma once

// How a model is fitted to data.

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "frontend/data/batches.h"
#include "frontend/training/callbacks.h"
#include "frontend/training/progress.h"

namespace gradus {

struct FitOptions {
  int64_t epochs = 1;
  int64_t batch_size = 32;
  bool shuffle = true;
  uint64_t seed = 0;                          // of the shuffling
  bool prefetch = false;                      // gather batches on a second thread (BatchOptions)
  const data::Dataset* validation = nullptr;  // evaluated after every epoch
  ProgressMode progress = ProgressMode::kAuto;
  std::FILE* out = stdout;
  // Called in this order. One that stops training within an epoch leaves no record of that epoch.
  std::vector<AnyCallback> callbacks = {};
  // Goes on from this checkpoint (see the callback Checkpoint): weights, optimiser, place in the
  // epoch, history and callbacks, to the same bits as if training had never stopped. `epochs`
  // counts from the first begin. Empty: begins anew.
  std::string resume_from = {};
  // A checkpoint that is not there yet is no error: for programs that are started again and again
  // until they are done.
  bool resume_if_there = false;
  // Ends with an error that names the first bad tensor when the loss or a weight is no finite
  // number (divergence.h). Costs a copy of the state an epoch.
  bool stop_on_nan = true;
  // Takes numbers below 2^-126 for zeros while it trains (runtime/float_mode.h). Not IEEE 754; on
  // many processors faster where gradients vanish.
  bool flush_subnormals = false;
  // The answers on the validation data after the last epoch, into History::scores.
  bool record_scores = true;
};

}  // namespace gradus
