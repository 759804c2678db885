// Trainer::Fit: epochs of steps, and what happens between them.

#include <algorithm>
#include <chrono>
#include <utility>

#include "fmt/format.h"
#include "frontend/trainer.h"

namespace gradus {

absl::StatusOr<History> Trainer::Fit(const data::Dataset& train, const FitOptions& options) {
  if (options.epochs < 0 || options.batch_size < 1) {
    return absl::InvalidArgumentError(
        fmt::format("fit: {} epochs of batches of {}, expected at least 0 and 1", options.epochs,
                    options.batch_size));
  }
  if (absl::Status s = CheckData(train, true); !s.ok()) return s;
  auto batches = data::Batches::Create(
      train, {.batch_size = options.batch_size, .shuffle = options.shuffle, .seed = options.seed});
  if (!batches.ok()) return batches.status();
  Progress progress(options.out, options.progress, options.epochs, batches->batches_per_epoch(),
                    metric_names_);
  History history;
  history.metric_names = metric_names_;
  for (int64_t epoch = 1; epoch <= options.epochs; ++epoch) {
    const auto start = std::chrono::steady_clock::now();
    progress.StartEpoch(epoch);
    batches->StartEpoch(epoch);
    MetricTotals totals = totals_;
    totals.Clear();
    for (int64_t step = 1; batches->Next(); ++step) {
      if (absl::Status s = Step(batches->inputs(), batches->targets()); !s.ok()) return s;
      AddBatch(totals, batches->size());
      progress.Step(step, totals.Values(false));
    }
    EpochRecord record;
    record.epoch = epoch;
    record.training = totals.Values(true);
    record.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (options.validation != nullptr) {
      auto evaluation = Evaluate(*options.validation, std::max<int64_t>(options.batch_size, 256));
      if (!evaluation.ok()) return evaluation.status();
      record.validation = *std::move(evaluation);
    }
    progress.EndEpoch(record);
    history.epochs.push_back(std::move(record));
  }
  return history;
}

}  // namespace gradus
