// Teaches a network to read handwritten digits. See README.md beside this file.

#include <chrono>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "examples/mnist/glyphs.h"
#include "examples/mnist/mnist_files.h"
#include "examples/mnist/networks.h"
#include "fmt/format.h"
#include "frontend/gradus.h"
#include "runtime/thread_pool.h"

namespace {

using namespace gradus;  // NOLINT: this is a program that uses Gradus

constexpr int kUserError = 1, kBadFlags = 2;
constexpr int64_t kSyntheticTest = 1000;

struct Options {
  std::string model = "mlp", data;
  int64_t samples = 0, epochs = 0, batch_size = 0, seed = 0;
  double learning_rate = 1e-3, validation = 0;
  int threads = 1;
};

int Fail(const absl::Status& status) {
  const std::string text(status.message());
  fmt::print(stderr, "{}{}\n", text.find("error: ") == std::string::npos ? "error: " : "", text);
  return kUserError;
}

struct Parts {
  data::Dataset train, test;
  std::optional<data::Dataset> validation;  // of the training images
};

absl::StatusOr<Parts> Load(const Options& o) {
  Parts parts;
  const auto seed = static_cast<uint64_t>(o.seed);
  if (o.data.empty()) {
    auto train = mnist::MakeDigits(o.samples > 0 ? o.samples : 4000, seed);
    if (!train.ok()) return train.status();
    auto test = mnist::MakeDigits(kSyntheticTest, seed + 1);
    if (!test.ok()) return test.status();
    parts = {std::move(*train), std::move(*test), {}};
  } else {
    auto files = mnist::ReadMnist(o.data);
    if (!files.ok()) return files.status();
    parts = {std::move(files->train), std::move(files->test), {}};
    if (o.samples > 0 && o.samples < parts.train.samples()) {
      std::vector<int64_t> first(static_cast<size_t>(o.samples));
      for (size_t i = 0; i < first.size(); ++i) first[i] = static_cast<int64_t>(i);
      auto taken = parts.train.Take(first);
      if (!taken.ok()) return taken.status();
      parts.train = std::move(*taken);
    }
  }
  if (o.validation > 0) {
    const auto numbers = parts.train.targets()[0].tensor.data<int64_t>();
    const std::vector<double> labels(numbers.begin(), numbers.end());
    auto split = data::StratifiedSplit(labels, o.validation, seed);
    if (!split.ok()) return split.status();
    auto kept = parts.train.Take(split->train);
    if (!kept.ok()) return kept.status();
    auto held_back = parts.train.Take(split->test);
    if (!held_back.ok()) return held_back.status();
    parts.train = std::move(*kept);
    parts.validation = std::move(*held_back);
  }
  return parts;
}

absl::Status Run(const mnist::Network& network, const Options& o) {
  auto parts = Load(o);
  if (!parts.ok()) return parts.status();
  fmt::print("{}: {} images to train, {} to test", o.data.empty() ? "synthetic digits" : o.data,
             parts->train.samples(), parts->test.samples());
  if (parts->validation) fmt::print(", {} to choose by", parts->validation->samples());
  fmt::print("\n");

  FitOptions fit;
  fit.epochs = o.epochs > 0 ? o.epochs : network.epochs;
  fit.batch_size = o.batch_size > 0 ? o.batch_size : network.batch_size;
  fit.seed = static_cast<uint64_t>(o.seed);
  if (parts->validation) fit.validation = &*parts->validation;
  const int64_t steps = (parts->train.samples() + fit.batch_size - 1) / fit.batch_size;

  Model model{std::string(network.name)};
  network.build(model);
  // The learning rate falls along half a cosine, from the first step of training to the last.
  auto trainer = Compile(model, {.optimizer = Adam({.learning_rate = o.learning_rate}),
                                 .loss = sparse_categorical_crossentropy_from_logits,
                                 .metrics = {accuracy},
                                 .schedule = CosineDecay(fit.epochs * steps)});
  if (!trainer.ok()) return trainer.status();
  auto pool = runtime::ThreadPool::Create(o.threads);
  if (!pool.ok()) return pool.status();
  trainer->SetThreads((*pool)->threads());
  if (absl::Status s = trainer->Reset(static_cast<uint64_t>(o.seed)); !s.ok()) return s;
  trainer->Summary();

  const auto start = std::chrono::steady_clock::now();
  auto history = trainer->Fit(parts->train, fit);
  if (!history.ok()) return history.status();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

  if (parts->validation) return absl::OkStatus();  // who chooses does not look at the test images
  auto test = trainer->Evaluate(parts->test);
  if (!test.ok()) return test.status();
  fmt::print("trained {} epochs in {:.1f} s; compiled in {:.0f} ms{}\n", fit.epochs,
             seconds.count(), trainer->compile_report().total_ms,
             trainer->compile_report().from_cache ? " (object cache)" : "");
  fmt::print("on the test images: {}\n", FormatEvaluation(*test, trainer->metric_names()));
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("Teaches a network to read handwritten digits.");
  Options o;
  const CLI::Range count(int64_t{1}, int64_t{1'000'000});
  app.add_option("--data", o.data,
                 "folder with the four files of MNIST, as they are or .gz; default: synthetic");
  app.add_option("--model", o.model, "mlp or lenet; default mlp");
  app.add_option("--samples", o.samples, "training images: the first of the files, 4000 synthetic")
      ->check(count);
  app.add_option("--validation", o.validation,
                 "hold this share of the training images back, and leave the test alone")
      ->check(CLI::Range(0.01, 0.9));
  app.add_option("--epochs", o.epochs, "default: the model's own")->check(count);
  app.add_option("--batch_size", o.batch_size, "default: the model's own")->check(count);
  app.add_option("--learning_rate", o.learning_rate, "of Adam, at the beginning; default 0.001")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", o.seed, "of weights, order and synthetic digits; default 0")
      ->check(CLI::Range(int64_t{0}, std::numeric_limits<int64_t>::max()));
  app.add_option("--threads", o.threads, "default 1")->check(CLI::Range(1, 256));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : kBadFlags;
  }
  std::string names;
  for (const mnist::Network& network : mnist::Networks()) {
    if (network.name == o.model) {
      const absl::Status status = Run(network, o);
      return status.ok() ? 0 : Fail(status);
    }
    names += fmt::format("{}{}", names.empty() ? "" : ", ", network.name);
  }
  fmt::print(stderr, "error: --model={}: there is no such model; expected {}\n", o.model, names);
  return kBadFlags;
}

}  // namespace

int main(int argc, char** argv) { return Main(argc, argv); }
