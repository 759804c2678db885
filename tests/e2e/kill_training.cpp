// The program that kill_training_test.cpp kills: a short training that writes a checkpoint after
// every step, and goes on from the checkpoint that it finds.
//
//   kill_training CHECKPOINT WEIGHTS CACHE_DIR [TRACE]
//
// The state at the end goes to WEIGHTS; TRACE gets the state after each step, "<TRACE>.<step>".

#include <cstdio>
#include <memory>
#include <string>

#include "fmt/format.h"
#include "tests/unit/frontend/training_fixture.h"

namespace gradus {
namespace {

class Trace : public Callback {
 public:
  explicit Trace(std::string path) : path_(std::move(path)) {}
  std::string_view name() const override { return "trace"; }
  absl::Status OnBatchEnd(const BatchLog& batch, TrainingControl& control) override {
    if (path_.empty()) return absl::OkStatus();
    return runtime::WriteSafetensors(fmt::format("{}.{}", path_, batch.step),
                                     control.trainer().StateViews());
  }

 private:
  std::string path_;
};

absl::Status Run(const std::string& checkpoint, const std::string& weights,
                 const std::string& cache_dir, const std::string& trace) {
  auto trainer = testing::MakeSumsTrainer(cache_dir, /*units=*/64);
  if (!trainer.ok()) return trainer.status();
  const data::Dataset train = testing::SumsData(150, 1), validation = testing::SumsData(50, 2);
  FitOptions options = testing::QuietFit(/*epochs=*/8);
  options.validation = &validation;
  options.resume_from = checkpoint;
  options.resume_if_there = true;
  options.callbacks = {EarlyStopping({.patience = 100}), ReduceLROnPlateau({.patience = 2}),
                       Trace(trace), Checkpoint(checkpoint, {.every_steps = 1})};
  const auto history = trainer->Fit(train, options);
  if (!history.ok()) return history.status();
  return runtime::WriteSafetensors(weights, trainer->StateViews());
}

}  // namespace
}  // namespace gradus

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const absl::Status status = gradus::Run(argv[1], argv[2], argv[3], argc > 4 ? argv[4] : "");
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}
