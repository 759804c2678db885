#include "frontend/training/callbacks.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "frontend/trainer.h"

namespace gradus {
namespace {

class FunctionCallback : public Callback {
 public:
  explicit FunctionCallback(EpochFunction function) : function_(std::move(function)) {}
  std::string_view name() const override { return "function"; }
  absl::Status OnEpochEnd(const EpochRecord& epoch, TrainingControl& control) override {
    return function_(epoch, control);
  }

 private:
  EpochFunction function_;
};

// The number of this name, which a checkpoint of the same callback always holds.
template <typename T>
absl::Status Take(const CallbackState& state, std::string_view callback, std::string_view name,
                  T& out) {
  const auto it = state.numbers.find(name);
  if (it == state.numbers.end()) {
    return absl::InvalidArgumentError(
        fmt::format("the checkpoint has no \"{}\" of callback {}", name, callback));
  }
  out = static_cast<T>(it->second);
  return absl::OkStatus();
}

}  // namespace

AnyCallback::AnyCallback(EpochFunction function, int)
    : callback_(std::make_shared<FunctionCallback>(std::move(function))) {}

void TrainingControl::Stop(std::string why) {
  if (!stopped_) reason_ = std::move(why);
  stopped_ = true;
}

absl::StatusOr<double> Monitored(std::string_view monitor, const EpochRecord& epoch,
                                 const History& history) {
  constexpr std::string_view kValidation = "val_";
  std::vector<std::string> known;
  for (const Evaluation* e : {&epoch.training, epoch.validation ? &*epoch.validation : nullptr}) {
    if (e == nullptr) continue;
    const std::string prefix(e == &epoch.training ? "" : kValidation);
    known.push_back(prefix + "loss");
    if (monitor == known.back()) return e->loss;
    for (size_t i = 0; i < e->metrics.size() && i < history.metric_names.size(); ++i) {
      known.push_back(prefix + history.metric_names[i]);
      if (monitor == known.back()) return e->metrics[i];
    }
  }
  const bool needs_validation = !epoch.validation && monitor.starts_with(kValidation);
  return absl::NotFoundError(fmt::format(
      "there is no \"{}\" to watch; there are {}{}", monitor, fmt::join(known, ", "),
      needs_validation ? "\n  help: give Fit data to validate with, FitOptions::validation" : ""));
}

bool IsBetter(double value, double best, Better mode, std::string_view monitor, double min_delta) {
  if (mode == Better::kAuto) {
    constexpr std::array<std::string_view, 5> kSmaller = {"loss", "error", "mae", "mse",
                                                          "perplexity"};
    const bool smaller = std::ranges::any_of(
        kSmaller, [&](std::string_view s) { return monitor.find(s) != std::string_view::npos; });
    mode = smaller ? Better::kSmaller : Better::kLarger;
  }
  if (std::isnan(value)) return false;
  if (std::isnan(best)) return true;
  return mode == Better::kSmaller ? value < best - min_delta : value > best + min_delta;
}

absl::Status EarlyStopping::OnTrainBegin(TrainingControl& control, bool resumed) {
  if (resumed) {
    if (waited_ > options_.patience) Stop(control);
    return absl::OkStatus();
  }
  best_epoch_ = waited_ = 0;
  best_ = 0;
  weights_.clear();
  return absl::OkStatus();
}

absl::Status EarlyStopping::OnEpochEnd(const EpochRecord& epoch, TrainingControl& control) {
  const auto value = Monitored(options_.monitor, epoch, control.history());
  if (!value.ok()) return value.status();
  const bool first = best_epoch_ == 0 && !std::isnan(*value);
  if (first || (best_epoch_ != 0 &&
                IsBetter(*value, best_, options_.mode, options_.monitor, options_.min_delta))) {
    best_ = *value;
    best_epoch_ = epoch.epoch;
    waited_ = 0;
    if (!options_.restore_best_weights) return absl::OkStatus();
    auto weights = control.trainer().CloneWeights();
    if (!weights.ok()) return weights.status();
    weights_ = *std::move(weights);
    return absl::OkStatus();
  }
  if (++waited_ > options_.patience) Stop(control);
  return absl::OkStatus();
}

void EarlyStopping::Stop(TrainingControl& control) const {
  control.Stop(fmt::format("early stopping: {} did not improve on {:.6g} of epoch {}",
                           options_.monitor, best_, best_epoch_));
}

absl::Status EarlyStopping::OnTrainEnd(TrainingControl& control) {
  return weights_.empty() ? absl::OkStatus() : control.trainer().SetWeights(weights_);
}

absl::StatusOr<CallbackState> EarlyStopping::SaveState() const {
  CallbackState state;
  state.numbers = {{"best_epoch", static_cast<double>(best_epoch_)},
                   {"waited", static_cast<double>(waited_)},
                   {"best", best_}};
  for (const auto& [name, tensor] : weights_) {
    auto copy = tensor.Clone();
    if (!copy.ok()) return copy.status();
    state.tensors.emplace(name, *std::move(copy));
  }
  return state;
}

absl::Status EarlyStopping::RestoreState(CallbackState state) {
  absl::Status s = Take(state, name(), "best_epoch", best_epoch_);
  if (s.ok()) s = Take(state, name(), "waited", waited_);
  if (s.ok()) s = Take(state, name(), "best", best_);
  weights_ = std::move(state.tensors);
  return s;
}

absl::Status Checkpoint::OnTrainBegin(TrainingControl&, bool resumed) {
  if (path_.empty()) return absl::InvalidArgumentError("checkpoint: the path is empty");
  if (options_.every_epochs < 0 || options_.every_steps < 0) {
    return absl::InvalidArgumentError(
        "checkpoint: every_epochs and every_steps must not be below 0");
  }
  if (!resumed) has_best_ = false;
  return absl::OkStatus();
}

absl::Status Checkpoint::OnBatchEnd(const BatchLog& batch, TrainingControl& control) {
  if (options_.every_steps > 0 && batch.step % options_.every_steps == 0) {
    control.RequestCheckpoint(path_);
  }
  return absl::OkStatus();
}

absl::Status Checkpoint::OnEpochEnd(const EpochRecord& epoch, TrainingControl& control) {
  if (options_.best_only) {
    const auto value = Monitored(options_.monitor, epoch, control.history());
    if (!value.ok()) return value.status();
    if (has_best_ && !IsBetter(*value, best_, options_.mode, options_.monitor, 0)) {
      return absl::OkStatus();
    }
    has_best_ = true;
    best_ = *value;
  } else if (options_.every_epochs == 0 || epoch.epoch % options_.every_epochs != 0) {
    return absl::OkStatus();
  }
  control.RequestCheckpoint(path_);
  return absl::OkStatus();
}

absl::StatusOr<CallbackState> Checkpoint::SaveState() const {
  return CallbackState{{{"has_best", has_best_ ? 1 : 0}, {"best", best_}}, {}};
}

absl::Status Checkpoint::RestoreState(CallbackState state) {
  double has_best = 0;
  absl::Status s = Take(state, name(), "has_best", has_best);
  if (s.ok()) s = Take(state, name(), "best", best_);
  has_best_ = has_best != 0;
  return s;
}

absl::Status CsvLog::OnEpochEnd(const EpochRecord&, TrainingControl& control) {
  const History& history = control.history();
  const bool validation = std::ranges::any_of(
      history.epochs, [](const EpochRecord& e) { return e.validation.has_value(); });
  std::string text = "epoch,seconds,learning_rate";
  for (const char* prefix : {"", "val_"}) {
    if (*prefix != '\0' && !validation) continue;
    text += fmt::format(",{}loss", prefix);
    for (const std::string& name : history.metric_names) text += fmt::format(",{}{}", prefix, name);
  }
  text += '\n';
  // Shortest digits that read back as the same number; absent values leave an empty cell.
  for (const EpochRecord& e : history.epochs) {
    text += fmt::format("{},{},{}", e.epoch, e.seconds, e.learning_rate);
    for (const Evaluation* part : {&e.training, e.validation ? &*e.validation : nullptr}) {
      if (part == nullptr) {
        if (validation) text.append(1 + history.metric_names.size(), ',');
        continue;
      }
      text += fmt::format(",{}", part->loss);
      for (const double m : part->metrics) text += fmt::format(",{}", m);
    }
    text += '\n';
  }
  return runtime::WriteFileAtomically(path_, text);
}

absl::Status ReduceLROnPlateau::OnTrainBegin(TrainingControl&, bool resumed) {
  if (!(options_.factor > 0 && options_.factor < 1)) {
    return absl::InvalidArgumentError(fmt::format(
        "reduce_lr_on_plateau: the factor must lie between 0 and 1, got {}", options_.factor));
  }
  if (resumed) return absl::OkStatus();
  has_best_ = false;
  best_ = 0;
  waited_ = cooling_ = 0;
  return absl::OkStatus();
}

absl::Status ReduceLROnPlateau::OnEpochEnd(const EpochRecord& epoch, TrainingControl& control) {
  const auto value = Monitored(options_.monitor, epoch, control.history());
  if (!value.ok()) return value.status();
  if (cooling_ > 0) {
    --cooling_;
    waited_ = 0;
  }
  const bool better =
      has_best_ ? IsBetter(*value, best_, options_.mode, options_.monitor, options_.min_delta)
                : !std::isnan(*value);
  if (better) {
    has_best_ = true;
    best_ = *value;
    waited_ = 0;
    return absl::OkStatus();
  }
  if (cooling_ > 0 || ++waited_ < options_.patience) return absl::OkStatus();
  const double rate = control.trainer().learning_rate();
  if (rate > options_.min_learning_rate) {
    control.trainer().SetLearningRate(std::max(rate * options_.factor, options_.min_learning_rate));
    cooling_ = options_.cooldown;
  }
  waited_ = 0;
  return absl::OkStatus();
}

absl::StatusOr<CallbackState> ReduceLROnPlateau::SaveState() const {
  CallbackState state;
  state.numbers = {{"has_best", has_best_ ? 1 : 0},
                   {"best", best_},
                   {"waited", static_cast<double>(waited_)},
                   {"cooling", static_cast<double>(cooling_)}};
  return state;
}

absl::Status ReduceLROnPlateau::RestoreState(CallbackState state) {
  double has_best = 0;
  absl::Status s = Take(state, name(), "has_best", has_best);
  if (s.ok()) s = Take(state, name(), "best", best_);
  if (s.ok()) s = Take(state, name(), "waited", waited_);
  if (s.ok()) s = Take(state, name(), "cooling", cooling_);
  has_best_ = has_best != 0;
  return s;
}

}  // namespace gradus
