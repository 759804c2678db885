#pragma once

// When the loss is no number any more: which step of which tensor began it. A NaN spreads through
// all weights within one step, so the step is found by doing the epoch's steps again, from a copy
// of the state at its begin, and looking at every tensor after each: steps give the same bits every
// time. Afterwards the trainer is as before the bad step.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "frontend/data/batches.h"
#include "runtime/tensor.h"

namespace gradus {

class Trainer;

// A copy of all that a step changes; its memory is kept.
class StateCopy {
 public:
  absl::Status Save(Trainer& trainer);
  void Restore(Trainer& trainer) const;

 private:
  std::vector<runtime::Tensor> tensors_;
};

// Where the copy was made, and where the trouble was seen.
struct DivergedFit {
  const StateCopy& begin;
  int64_t epoch = 1;
  int64_t first_step = 0;  // steps of the epoch that the copy has behind it
  int64_t last_step = 0;   // the last step of the epoch to look at, from 1
  int64_t steps_before_epoch = 0;
};

// The error that Fit returns: kFailedPrecondition.
//
//   fit: the loss is nan at step 37 (epoch 2, step 5 of 8)
//     first bad: the gradient of hidden.kernel: element [3, 0] of hidden.kernel/m is inf
//     the loss before was 0.41, the learning rate is 10
absl::Status ExplainDivergence(Trainer& trainer, data::Batches& batches, const DivergedFit& fit);

// The index of the first element that is NaN or infinite, -1 if there is none.
int64_t FirstNonFinite(runtime::TensorView tensor);

}  // namespace gradus
