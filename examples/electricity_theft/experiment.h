#pragma once

// Trains and tests one detector.

#include <string>

#include "absl/status/statusor.h"
#include "examples/electricity_theft/dataset.h"
#include "examples/electricity_theft/detectors.h"
#include "frontend/training/history.h"

namespace gradus::electricity_theft {

struct ExperimentOptions {
  int64_t epochs = 0, batch_size = 0;  // 0: the detector's own
  uint64_t seed = 0;                   // of the weights and of the order of samples
  int threads = 1;
  bool flush_subnormals = false;  // see FitOptions
  bool norms = false;  // record the norms of gradients and weights, for a report
};

struct Outcome {
  std::string model;
  uint64_t seed = 0;
  int64_t params = 0, epochs = 0;
  double train_loss = 0;
  double test_loss_before = 0, test_accuracy_before = 0;
  double test_loss = 0, test_accuracy = 0, test_auc = 0;
  double seconds = 0;  // of training
  double compile_ms = 0;
  History history;  // with the answers on the test part
};

// Prints summary, progress and results to stdout as it goes.
absl::StatusOr<Outcome> RunExperiment(const Detector& detector, const MeterData& data,
                                      const ExperimentOptions& options);

// One line of JSON.
std::string ToJson(const Outcome& outcome);

}  // namespace gradus::electricity_theft
