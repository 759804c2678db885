#pragma once

// What training did, epoch by epoch.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"

namespace gradus {

// Loss and metrics over a batch or a whole data set: means over samples, in the order of
// History::metric_names.
struct Evaluation {
  double loss = 0;
  absl::InlinedVector<double, 8> metrics;  // inline, so that a step allocates nothing
};

struct EpochRecord {
  int64_t epoch = 0;    // from 1
  Evaluation training;  // running means while the weights moved
  std::optional<Evaluation> validation;
  double seconds = 0;
};

struct History {
  std::vector<std::string> metric_names;
  std::vector<EpochRecord> epochs;
};

}  // namespace gradus
