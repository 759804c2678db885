#include "examples/electricity_theft/experiment.h"

#include <chrono>
#include <cstdio>

#include "fmt/format.h"
#include "frontend/gradus.h"
#include "frontend/training/scores.h"
#include "nlohmann/json.hpp"
#include "runtime/thread_pool.h"

namespace gradus::electricity_theft {

absl::StatusOr<Outcome> RunExperiment(const Detector& detector, const MeterData& data,
                                      const ExperimentOptions& options) {
  const absl::StatusOr<TrainAndTest> shown = data.Show(detector.view);
  if (!shown.ok()) return shown.status();
  Model model{std::string(detector.name)};
  detector.build(model, data.months);
  auto trainer = Compile(model, {.optimizer = Adam{},
                                 .loss = binary_crossentropy,
                                 .metrics = {accuracy},
                                 .record_norms = options.norms});
  if (!trainer.ok()) return trainer.status();
  auto pool = runtime::ThreadPool::Create(options.threads);
  if (!pool.ok()) return pool.status();
  trainer->SetThreads((*pool)->threads());
  if (absl::Status s = trainer->Reset(options.seed); !s.ok()) return s;
  trainer->Summary();

  Outcome out;
  out.model = detector.name;
  out.seed = options.seed;
  out.params = trainer->num_parameters();
  out.epochs = options.epochs > 0 ? options.epochs : detector.epochs;
  out.compile_ms = trainer->compile_report().total_ms;

  auto before = trainer->Evaluate(shown->test);
  if (!before.ok()) return before.status();
  out.test_loss_before = before->loss;
  out.test_accuracy_before = before->metrics[0];
  fmt::print("before training, on the test part: {}\n",
             FormatEvaluation(*before, trainer->metric_names()));

  const auto start = std::chrono::steady_clock::now();
  FitOptions fit;
  fit.flush_subnormals = options.flush_subnormals;
  fit.epochs = out.epochs;
  fit.batch_size = options.batch_size > 0 ? options.batch_size : detector.batch_size;
  fit.seed = options.seed;
  fit.validation = &shown->test;  // printed, never used to choose anything
  auto history = trainer->Fit(shown->train, fit);
  if (!history.ok()) return history.status();
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  auto train = trainer->Evaluate(shown->train);
  auto after = trainer->Evaluate(shown->test);
  auto scores = trainer->Predict(shown->test);
  if (!train.ok()) return train.status();
  if (!after.ok()) return after.status();
  if (!scores.ok()) return scores.status();
  auto auc = RocAuc(shown->test.targets()[0].tensor.data<float>(), (*scores)[0].data<float>());
  if (!auc.ok()) return auc.status();
  out.train_loss = train->loss;
  out.test_loss = after->loss;
  out.test_accuracy = after->metrics[0];
  out.test_auc = *auc;
  fmt::print("after training, on the test part:  {}  auc {:.4f}\n",
             FormatEvaluation(*after, trainer->metric_names()), *auc);
  fmt::print("trained {} epochs in {:.2f} s; compiled in {:.0f} ms{}\n", out.epochs, out.seconds,
             out.compile_ms, trainer->compile_report().from_cache ? " (object cache)" : "");
  out.history = *std::move(history);
  if (absl::Status s = RecordScores(*trainer, shown->test, "test", out.history); !s.ok()) return s;
  return out;
}

std::string ToJson(const Outcome& o) {
  const nlohmann::ordered_json json = {
      {"model", o.model},
      {"seed", o.seed},
      {"params", o.params},
      {"epochs", o.epochs},
      {"train_loss", o.train_loss},
      {"test_loss_before", o.test_loss_before},
      {"test_accuracy_before", o.test_accuracy_before},
      {"test_loss", o.test_loss},
      {"test_accuracy", o.test_accuracy},
      {"test_auc", o.test_auc},
      {"seconds", o.seconds},
      {"compile_ms", o.compile_ms},
  };
  return json.dump();
}

}  // namespace gradus::electricity_theft
