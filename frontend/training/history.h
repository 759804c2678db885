#pragma once

// What training did, epoch by epoch.

#include <optional>
#include <string>
#include <vector>

namespace gradus {

// Loss and metrics over a whole data set: means over samples, in the order of History::metric_names.
struct Evaluation {
  double loss = 0;
  std::vector<double> metrics;
};

struct EpochRecord {
  int64_t epoch = 0;  // from 1
  Evaluation training;  // running means while the weights moved
  std::optional<Evaluation> validation;
  double seconds = 0;
};

struct History {
  std::vector<std::string> metric_names;
  std::vector<EpochRecord> epochs;
};

}  // namespace gradus
