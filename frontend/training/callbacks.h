#pragma once

// What may look at training and steer it: stopping early, checkpoints, a CSV log, a falling
// learning rate, or a user's own.
//
//   FitOptions options{.epochs = 100, .validation = &test};
//   options.callbacks = {EarlyStopping({.patience = 5}), CsvLog("log.csv"),
//                        [](const EpochRecord& e, TrainingControl& control) {
//                          if (e.training.loss < 0.01) control.Stop("good enough");
//                          return absl::OkStatus();
//                        }};

#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "frontend/training/history.h"
#include "frontend/training/metric_totals.h"
#include "runtime/tensor.h"

namespace gradus {

class Trainer;

// One step, after it.
struct BatchLog {
  int64_t epoch = 0;          // from 1
  int64_t step_in_epoch = 0;  // from 1
  int64_t step = 0;           // from 1, through all epochs
  int64_t samples = 0;
  double loss = 0;  // of this batch
  // Loss and metrics over the epoch so far; made only where somebody asks.
  Evaluation Running() const { return totals->Values(false); }

  const MetricTotals* totals = nullptr;
};

// What a callback may do, beside looking.
class TrainingControl {
 public:
  TrainingControl(Trainer& trainer, const History& history)
      : trainer_(trainer), history_(history) {}
  Trainer& trainer() { return trainer_; }
  // So far; in OnEpochEnd with the epoch that ended.
  const History& history() const { return history_; }
  // Ends training after this step or epoch. The first reason is kept.
  void Stop(std::string why);
  bool stopped() const { return stopped_; }
  const std::string& reason() const { return reason_; }
  // Writes a checkpoint once every callback has seen this step or epoch, so that it holds the
  // state of all of them.
  void RequestCheckpoint(std::string path) { checkpoints_.push_back(std::move(path)); }
  std::vector<std::string> TakeCheckpoints() { return std::exchange(checkpoints_, {}); }

 private:
  Trainer& trainer_;
  const History& history_;
  bool stopped_ = false;
  std::string reason_;
  std::vector<std::string> checkpoints_;
};

// What a callback remembers from epoch to epoch: it is part of a checkpoint, so that a resumed
// training goes on as if it had never stopped.
struct CallbackState {
  std::map<std::string, double, std::less<>> numbers;
  std::map<std::string, runtime::Tensor, std::less<>> tensors;
};

// An error of any of these ends Fit with it.
class Callback {
 public:
  virtual ~Callback() = default;
  // "early_stopping": names its state in checkpoints and its errors.
  virtual std::string_view name() const = 0;
  // `resumed`: RestoreState has been called.
  virtual absl::Status OnTrainBegin(TrainingControl&, bool /*resumed*/) { return absl::OkStatus(); }
  virtual absl::Status OnBatchEnd(const BatchLog&, TrainingControl&) { return absl::OkStatus(); }
  virtual absl::Status OnEpochEnd(const EpochRecord&, TrainingControl&) { return absl::OkStatus(); }
  virtual absl::Status OnTrainEnd(TrainingControl&) { return absl::OkStatus(); }
  virtual absl::StatusOr<CallbackState> SaveState() const { return CallbackState(); }
  // By value: a callback keeps the tensors.
  virtual absl::Status RestoreState(
      CallbackState /*state*/) {  // NOLINT(performance-unnecessary-value-param)
    return absl::OkStatus();
  }
};

using EpochFunction = std::function<absl::Status(const EpochRecord&, TrainingControl&)>;

// Any callback, as a value: a Callback, a shared_ptr to one (to ask it afterwards), or a function
// that is called at the end of every epoch.
class AnyCallback {
 public:
  template <typename C>
    requires std::derived_from<C, Callback>
  AnyCallback(C callback) : callback_(std::make_shared<C>(std::move(callback))) {}  // NOLINT
  template <typename C>
    requires std::derived_from<C, Callback>
  AnyCallback(std::shared_ptr<C> callback) : callback_(std::move(callback)) {}  // NOLINT
  template <typename F>
    requires std::is_invocable_r_v<absl::Status, F, const EpochRecord&, TrainingControl&>
  AnyCallback(F function) : AnyCallback(EpochFunction(std::move(function)), 0) {}  // NOLINT
  Callback& operator*() const { return *callback_; }
  Callback* operator->() const { return callback_.get(); }

 private:
  AnyCallback(EpochFunction function, int);
  std::shared_ptr<Callback> callback_;
};

// The value that `monitor` names in an epoch: "loss", a metric, or either with "val_" in front.
// An error names what there is.
absl::StatusOr<double> Monitored(std::string_view monitor, const EpochRecord& epoch,
                                 const History& history);

// Whether larger is better: kAuto says no for losses and errors (a name with "loss", "error",
// "mae", "mse" or "perplexity" in it), yes for everything else.
enum class Better { kAuto, kSmaller, kLarger };
bool IsBetter(double value, double best, Better mode, std::string_view monitor, double min_delta);

struct EarlyStoppingOptions {
  std::string monitor = "val_loss";
  int64_t patience = 0;  // epochs without improvement that are borne
  double min_delta = 0;  // smaller improvements do not count
  Better mode = Better::kAuto;
  bool restore_best_weights = true;  // when training ends, stopped early or not
};

// Stops when what it watches no longer improves; NaN never does.
class EarlyStopping : public Callback {
 public:
  explicit EarlyStopping(EarlyStoppingOptions options = {}) : options_(std::move(options)) {}
  std::string_view name() const override { return "early_stopping"; }
  absl::Status OnTrainBegin(TrainingControl& control, bool resumed) override;
  absl::Status OnEpochEnd(const EpochRecord& epoch, TrainingControl& control) override;
  absl::Status OnTrainEnd(TrainingControl& control) override;
  absl::StatusOr<CallbackState> SaveState() const override;
  absl::Status RestoreState(CallbackState state) override;
  int64_t best_epoch() const { return best_epoch_; }  // 0: none yet
  double best() const { return best_; }

 private:
  void Stop(TrainingControl& control) const;

  EarlyStoppingOptions options_;
  int64_t best_epoch_ = 0, waited_ = 0;
  double best_ = 0;
  std::map<std::string, runtime::Tensor, std::less<>> weights_;  // of the best epoch
};

struct CheckpointOptions {
  int64_t every_epochs = 1;  // 0: never at the end of an epoch
  int64_t every_steps = 0;   // 0: not within epochs
  bool best_only = false;    // only epochs in which `monitor` is the best so far
  std::string monitor = "val_loss";
  Better mode = Better::kAuto;
};

// Writes all that is needed to go on (see checkpoint.h) to one path, over and over. The file is
// replaced as a whole: whenever the program dies, the last complete one is there.
class Checkpoint : public Callback {
 public:
  explicit Checkpoint(std::string path, CheckpointOptions options = {})
      : path_(std::move(path)), options_(std::move(options)) {}
  std::string_view name() const override { return "checkpoint"; }
  absl::Status OnTrainBegin(TrainingControl& control, bool resumed) override;
  absl::Status OnBatchEnd(const BatchLog& batch, TrainingControl& control) override;
  absl::Status OnEpochEnd(const EpochRecord& epoch, TrainingControl& control) override;
  absl::StatusOr<CallbackState> SaveState() const override;
  absl::Status RestoreState(CallbackState state) override;

 private:
  std::string path_;
  CheckpointOptions options_;
  bool has_best_ = false;
  double best_ = 0;
};

// One line an epoch: epoch, seconds, learning_rate, loss, metrics, val_loss, val_metrics. A resumed
// training writes the lines of the epochs before it again.
class CsvLog : public Callback {
 public:
  explicit CsvLog(std::string path) : path_(std::move(path)) {}
  std::string_view name() const override { return "csv_log"; }
  absl::Status OnEpochEnd(const EpochRecord& epoch, TrainingControl& control) override;

 private:
  std::string path_;
};

struct ReduceLROnPlateauOptions {
  std::string monitor = "val_loss";
  double factor = 0.1;  // new rate = rate * factor
  int64_t patience = 10;
  double min_delta = 1e-4;
  int64_t cooldown = 0;  // epochs after a reduction in which nothing is counted
  double min_learning_rate = 0;
  Better mode = Better::kAuto;
};

// As Keras' callback of the same name.
class ReduceLROnPlateau : public Callback {
 public:
  explicit ReduceLROnPlateau(ReduceLROnPlateauOptions options = {})
      : options_(std::move(options)) {}
  std::string_view name() const override { return "reduce_lr_on_plateau"; }
  absl::Status OnTrainBegin(TrainingControl& control, bool resumed) override;
  absl::Status OnEpochEnd(const EpochRecord& epoch, TrainingControl& control) override;
  absl::StatusOr<CallbackState> SaveState() const override;
  absl::Status RestoreState(CallbackState state) override;

 private:
  ReduceLROnPlateauOptions options_;
  bool has_best_ = false;
  double best_ = 0;
  int64_t waited_ = 0, cooling_ = 0;
};

}  // namespace gradus
