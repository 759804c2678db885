#pragma once

// Learning-rate schedules: what the learning rate is multiplied by at each update, as graph code of
// the counter of updates. The rate itself stays an argument of the step, so that a callback can
// change it (on a plateau) on top of a schedule. Schedules compose by multiplication:
//
//   .schedule = Warmup(500) * After(500, CosineDecay(9500, 0.01))
//
// Counting is in the model's dtype: exact for the first 16 million updates in f32.

#include <cstdint>
#include <functional>

#include "frontend/tensor.h"

namespace gradus {

class Schedule {
 public:
  // Always 1.
  Schedule() = default;
  // One's own: `factor` is graph code; it gets the number of updates done so far, a float scalar,
  // and gives a scalar of the same dtype.
  explicit Schedule(std::function<Tensor(Tensor updates)> factor) : factor_(std::move(factor)) {}

  explicit operator bool() const { return factor_ != nullptr; }
  Tensor operator()(Tensor updates) const { return factor_(updates); }

 private:
  std::function<Tensor(Tensor)> factor_;
};

Schedule operator*(Schedule a, Schedule b);

// In the formulas t is the number of updates done so far: 0 at the first.
Schedule ConstantRate(double factor);
// factor^floor(t / every).
Schedule StepDecay(int64_t every, double factor);
// factor^(t / every).
Schedule ExponentialDecay(int64_t every, double factor);
// last + (1 - last) (1 + cos(pi min(t, updates) / updates)) / 2 (Loshchilov and Hutter 2017, one
// period).
Schedule CosineDecay(int64_t updates, double last = 0);
// min((t + 1) / updates, 1): full at update number `updates` (Goyal et al. 2017).
Schedule Warmup(int64_t updates);
// `then` with max(t - updates, 0) for t: its beginning is put off.
Schedule After(int64_t updates, Schedule then);

}  // namespace gradus
