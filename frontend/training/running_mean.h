#pragma once

// Means over samples from means over batches of different sizes.

#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "frontend/training/history.h"

namespace gradus {

class RunningMean {
 public:
  explicit RunningMean(size_t metrics) : sums_(metrics) {}
  void Add(const Evaluation& batch, int64_t samples) {
    const auto weight = static_cast<double>(samples);
    samples_ += weight;
    loss_ += weight * batch.loss;
    for (size_t i = 0; i < sums_.size(); ++i) sums_[i] += weight * batch.metrics[i];
  }
  Evaluation Mean() const {
    Evaluation e{loss_ / samples_, sums_};
    for (double& m : e.metrics) m /= samples_;
    return e;
  }

 private:
  double samples_ = 0, loss_ = 0;
  absl::InlinedVector<double, 8> sums_;
};

}  // namespace gradus
