#pragma once

// What training did: losses and metrics epoch by epoch, times and norms step by step, and what a
// report needs besides. Kept in memory by Fit, and as one JSON file between programs.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "frontend/training/metric_table.h"

namespace gradus {

// Loss and metrics over a batch or a whole data set: means over samples, in the order of
// History::metric_names.
struct Evaluation {
  double loss = 0;
  absl::InlinedVector<double, 8> metrics;  // inline, so that a step allocates nothing
  std::vector<MetricTable> tables;         // of the metrics that have one; empty for a batch
};

struct EpochRecord {
  int64_t epoch = 0;    // from 1
  Evaluation training;  // running means while the weights moved
  std::optional<Evaluation> validation;
  double seconds = 0;  // of the training part, without validation
  int64_t steps = 0;
  double learning_rate = 0;  // at the end of the epoch
};

// Euclidean norms of one parameter and of its gradient, at each step of StepRecords::step.
struct ParameterNorms {
  std::string name;  // "hidden.kernel"
  std::vector<double> gradient, weight;
};

// Columns of equal length, one entry a recorded step. Every `stride`-th step is recorded; where
// there are more than kMaxRecordedSteps, every second record goes and the stride doubles, so that
// long trainings stay small.
struct StepRecords {
  int64_t stride = 1;
  std::vector<int64_t> step;          // from 1, through all epochs
  std::vector<double> milliseconds;   // of the step: gather, compiled code, metrics
  std::vector<double> loss;           // of the step's batch
  std::vector<double> learning_rate;  // that the step used
  std::vector<ParameterNorms> norms;  // empty unless training records norms

  // Makes room for a step of this number: false if it is not one to record. Columns are the
  // caller's to fill when it is true. Never allocates after Reserve.
  bool Wants(int64_t step_number);
  void Reserve();
};
inline constexpr size_t kMaxRecordedSteps = 4096;

// Answers of the trained model on one part of the data, for ROC and precision-recall curves, the
// confusion matrix and the distribution of scores.
struct ScoreRecord {
  std::string part;            // "validation" or "test"
  std::string output;          // the model's output
  int64_t classes = 1;         // 1: a score is the chance of label 1; more: one score a class
  std::vector<double> labels;  // [samples], class numbers
  std::vector<double> scores;  // [samples, classes], row-major
};

// One line of a model's summary.
struct ModelRow {
  std::string layer, type, output;  // "hidden", "dense", "[B, 64]"
  int64_t parameters = 0;
  std::string fused_into;  // kernels that hold the layer's nodes, "" if not known
};

struct History {
  std::vector<std::string> metric_names;
  std::vector<EpochRecord> epochs;
  StepRecords steps;
  std::vector<ScoreRecord> scores;

  // Where it came from.
  std::string model;
  std::vector<ModelRow> layers;
  int64_t parameters = 0;
  double compile_ms = 0;
  bool from_cache = false;
  uint64_t seed = 0;  // of the shuffling
  int64_t batch_size = 0;
  std::string stopped;  // why training ended before its last epoch; "" if it did not

  // One JSON object, described in frontend/training/README.md: {"schema": "gradus-history",
  // "version": 1, ...}. Numbers read back exactly; NaN is written as null, infinities as "inf" and
  // "-inf".
  std::string ToJson() const;
  absl::Status WriteJson(std::string_view path) const;
  // Pictures of it, as one HTML file (see report/report.h, which also compares histories).
  absl::Status WriteReport(std::string_view path) const;
  // Errors name the file and the field. Fields that are unknown are skipped, so that an older
  // reader reads a newer file of the same version; fields that are absent stay empty.
  static absl::StatusOr<History> ReadJson(std::string_view path);
  static absl::StatusOr<History> ParseJson(std::string_view text,
                                           std::string_view name = "history");
};

}  // namespace gradus
