#pragma once

// Progress of training: a bar that rewrites itself on a terminal, one plain line an epoch
// otherwise.
//
//   epoch 1/5  [==============>     ] 712/1000  2.1 ms/step  eta 1s  loss 0.4127  accuracy 0.8104
//   epoch 1/5  1000 steps  2.10 s  loss 0.4127  accuracy 0.8104  val_loss 0.4015  val_accuracy
//   0.8210

#include <chrono>
#include <cstdint>
#include <cstdio>

#include "frontend/training/history.h"

namespace gradus {

enum class ProgressMode {
  kAuto,
  kOff,
  kLines,
  kBar
};  // kAuto: bar if `out` is a terminal, else lines

class Progress {
 public:
  Progress(std::FILE* out, ProgressMode mode, int64_t epochs, int64_t steps,
           std::vector<std::string> metric_names);
  // `done`: steps that were done before, by the training that is resumed.
  void StartEpoch(int64_t epoch, int64_t done = 0);
  // Whether Step would draw now: at most ten times a second, and at the end.
  bool Due(int64_t step) const;
  // After `step` steps of this epoch.
  void Step(int64_t step, const Evaluation& running);
  void EndEpoch(const EpochRecord& record);

 private:
  std::FILE* out_;
  bool bar_, lines_;
  int64_t epochs_, steps_, epoch_ = 0, done_ = 0;
  std::vector<std::string> metric_names_;
  std::chrono::steady_clock::time_point start_, drawn_;
  size_t drawn_width_ = 0;
};

// "loss 0.4127  accuracy 0.8104", names with `prefix`.
std::string FormatEvaluation(const Evaluation& e, const std::vector<std::string>& metric_names,
                             const char* prefix = "");

}  // namespace gradus
