// Trainer::Fit: epochs of steps, and what happens between them.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "fmt/format.h"
#include "frontend/trainer.h"
#include "frontend/training/checkpoint.h"
#include "frontend/training/divergence.h"
#include "frontend/training/scores.h"
#include "runtime/float_mode.h"

namespace gradus {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

class FitLoop {
 public:
  FitLoop(Trainer& trainer, const data::Dataset& train, const FitOptions& options,
          data::Batches batches)
      : trainer_(trainer),
        options_(options),
        key_{train.samples(), options.batch_size, options.shuffle, options.seed},
        batches_(std::move(batches)),
        progress_(options.out, options.progress, options.epochs, batches_.batches_per_epoch(),
                  trainer.metric_names()),
        totals_(trainer.NewTotals()),
        control_(trainer, history_) {}

  absl::StatusOr<History> Run() {
    history_ = trainer_.NewHistory();
    history_.seed = options_.seed;
    history_.batch_size = options_.batch_size;
    const auto resumed = Resume();
    if (!resumed.ok()) return resumed.status();
    PrepareNorms();
    history_.steps.Reserve();
    if (absl::Status s = ForEach([&](Callback& c) { return c.OnTrainBegin(control_, *resumed); });
        !s.ok()) {
      return s;
    }
    while (position_.epoch <= options_.epochs && !control_.stopped()) {
      if (absl::Status s = RunEpoch(); !s.ok()) return s;
    }
    history_.stopped = control_.reason();
    if (absl::Status s = ForEach([&](Callback& c) { return c.OnTrainEnd(control_); }); !s.ok()) {
      return s;
    }
    if (options_.validation != nullptr && options_.record_scores) {
      if (absl::Status s = RecordScores(trainer_, *options_.validation, "validation", history_);
          !s.ok()) {
        return s;
      }
    }
    return std::move(history_);
  }

 private:
  template <typename F>
  absl::Status ForEach(F f) {
    for (const AnyCallback& c : options_.callbacks) {
      if (absl::Status s = f(*c); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  // Whether there was something to resume from.
  absl::StatusOr<bool> Resume() {
    if (options_.resume_from.empty()) return false;
    auto resumed = ReadCheckpoint(options_.resume_from, trainer_, key_, options_.callbacks);
    if (absl::IsNotFound(resumed.status()) && options_.resume_if_there) return false;
    if (!resumed.ok()) return resumed.status();
    position_ = std::move(resumed->position);
    if (position_.steps_done >= std::max<int64_t>(batches_.batches_per_epoch(), 1)) {
      return absl::InvalidArgumentError(fmt::format("{}: {} steps of an epoch of {} are done",
                                                    options_.resume_from, position_.steps_done,
                                                    batches_.batches_per_epoch()));
    }
    if (!position_.totals.empty() && !totals_.SetState(position_.totals)) {
      return absl::InvalidArgumentError(fmt::format(
          "{}: made with other metrics; resume with those of before", options_.resume_from));
    }
    history_.epochs = std::move(resumed->history.epochs);
    history_.steps = std::move(resumed->history.steps);
    return true;
  }

  // One column for each parameter whose norms the step gives. Steps of a resumed training that did
  // not record them have none.
  void PrepareNorms() {
    StepRecords& s = history_.steps;
    const std::vector<std::string> names = trainer_.NormNames();
    std::vector<ParameterNorms> columns;
    for (const std::string& name : names) {
      const auto old =
          std::ranges::find_if(s.norms, [&](const ParameterNorms& n) { return n.name == name; });
      const std::vector<double> unknown(s.step.size(), std::numeric_limits<double>::quiet_NaN());
      columns.push_back(old != s.norms.end() ? *old : ParameterNorms{name, unknown, unknown});
    }
    s.norms = std::move(columns);
    gradient_norms_.resize(names.size());
    weight_norms_.resize(names.size());
  }

  absl::Status RunEpoch() {
    const int64_t first_step = position_.steps_done;
    const int64_t steps_before_epoch = position_.step - first_step;
    const auto diverged = [&](int64_t last_step) {
      return ExplainDivergence(
          trainer_, batches_, {begin_, position_.epoch, first_step, last_step, steps_before_epoch});
    };
    if (options_.stop_on_nan) {
      if (absl::Status s = begin_.Save(trainer_); !s.ok()) return s;
    }
    const auto start = Clock::now();
    progress_.StartEpoch(position_.epoch, first_step);
    batches_.StartEpoch(position_.epoch, first_step);
    while (true) {
      const auto step_start = Clock::now();
      if (!batches_.Next()) break;
      if (absl::Status s = trainer_.Step(batches_.inputs(), batches_.targets()); !s.ok()) return s;
      const double loss = trainer_.StepLoss();
      if (options_.stop_on_nan && !std::isfinite(loss)) return diverged(position_.steps_done + 1);
      trainer_.AddBatch(totals_, batches_.size());
      ++position_.steps_done;
      ++position_.step;
      Record(loss, step_start);
      if (progress_.Due(position_.steps_done)) {
        progress_.Step(position_.steps_done, totals_.Values(false));
      }
      if (absl::Status s = EndBatch(loss); !s.ok()) return s;
      const bool last = position_.steps_done == batches_.batches_per_epoch();
      if (control_.stopped() && !last) return absl::OkStatus();
    }
    if (options_.stop_on_nan && !trainer_.IsFinite()) return diverged(position_.steps_done);
    return EndEpoch(SecondsSince(start));
  }

  void Record(double loss, Clock::time_point start) {
    StepRecords& s = history_.steps;
    if (!s.Wants(position_.step)) return;
    s.step.push_back(position_.step);
    s.milliseconds.push_back(SecondsSince(start) * 1e3);
    s.loss.push_back(loss);
    s.learning_rate.push_back(trainer_.used_learning_rate());
    trainer_.ReadNorms(gradient_norms_, weight_norms_);
    for (size_t i = 0; i < s.norms.size(); ++i) {
      s.norms[i].gradient.push_back(gradient_norms_[i]);
      s.norms[i].weight.push_back(weight_norms_[i]);
    }
  }

  absl::Status EndBatch(double loss) {
    if (options_.callbacks.empty()) return absl::OkStatus();
    const BatchLog log{position_.epoch, position_.steps_done, position_.step, batches_.size(), loss,
                       &totals_};
    if (absl::Status s = ForEach([&](Callback& c) { return c.OnBatchEnd(log, control_); });
        !s.ok()) {
      return s;
    }
    // At the end of an epoch the one that OnEpochEnd may ask for is the better one.
    const bool last = position_.steps_done == batches_.batches_per_epoch();
    return last ? absl::OkStatus() : WriteCheckpoints();
  }

  absl::Status EndEpoch(double seconds) {
    EpochRecord record;
    record.epoch = position_.epoch;
    record.training = totals_.Values(true);
    record.seconds = seconds;
    record.steps = position_.steps_done;
    record.learning_rate = trainer_.used_learning_rate();
    if (options_.validation != nullptr) {
      auto evaluation =
          trainer_.Evaluate(*options_.validation, std::max<int64_t>(options_.batch_size, 256));
      if (!evaluation.ok()) return evaluation.status();
      record.validation = *std::move(evaluation);
    }
    progress_.EndEpoch(record);
    history_.epochs.push_back(std::move(record));
    ++position_.epoch;
    position_.steps_done = 0;
    totals_.Clear();
    if (absl::Status s =
            ForEach([&](Callback& c) { return c.OnEpochEnd(history_.epochs.back(), control_); });
        !s.ok()) {
      return s;
    }
    return WriteCheckpoints();
  }

  absl::Status WriteCheckpoints() {
    for (const std::string& path : control_.TakeCheckpoints()) {
      position_.totals = totals_.State();
      if (absl::Status s =
              WriteCheckpoint(path, trainer_, key_, position_, history_, options_.callbacks);
          !s.ok()) {
        return s;
      }
    }
    return absl::OkStatus();
  }

  Trainer& trainer_;
  const FitOptions& options_;
  const FitKey key_;
  data::Batches batches_;
  Progress progress_;
  MetricTotals totals_;
  History history_;
  TrainingControl control_;
  FitPosition position_;
  StateCopy begin_;
  std::vector<double> gradient_norms_, weight_norms_;  // of the last step
};

absl::StatusOr<History> Trainer::Fit(const data::Dataset& train, const FitOptions& options) {
  if (options.epochs < 0 || options.batch_size < 1) {
    return absl::InvalidArgumentError(
        fmt::format("fit: {} epochs of batches of {}, expected at least 0 and 1", options.epochs,
                    options.batch_size));
  }
  if (absl::Status s = CheckData(train, true); !s.ok()) return s;
  if (options.validation != nullptr) {
    if (absl::Status s = CheckData(*options.validation, true); !s.ok()) return s;
  }
  auto batches = data::Batches::Create(train, {.batch_size = options.batch_size,
                                               .shuffle = options.shuffle,
                                               .seed = options.seed,
                                               .prefetch = options.prefetch});
  if (!batches.ok()) return batches.status();
  std::optional<runtime::FlushSubnormals> flush;
  if (options.flush_subnormals) flush.emplace();
  return FitLoop(*this, train, options, *std::move(batches)).Run();
}

}  // namespace gradus
