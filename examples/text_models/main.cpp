// Learns to continue a text, character by character. See README.md beside this file.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "examples/text_models/models.h"
#include "examples/text_models/text.h"
#include "fmt/format.h"
#include "frontend/data/gzip.h"
#include "frontend/gradus.h"
#include "runtime/thread_pool.h"

namespace {

using namespace gradus;  // NOLINT: this is a program that uses Gradus
using text_models::Alphabet;
using text_models::TextModel;

constexpr int kUserError = 1, kBadFlags = 2;
constexpr int64_t kLongestText = int64_t{1} << 30;

struct Options {
  std::string model = "lstm", text = "LICENSE", prompt, load, save;
  int64_t window = 64, width = 128, layers = 0, heads = 4;
  int64_t epochs = 10, batch_size = 32, seed = 0, sample = 300;
  double learning_rate = 0, temperature = 0.7;
  int threads = 1;
};

int Fail(const absl::Status& status) {
  const std::string text(status.message());
  fmt::print(stderr, "{}{}\n", text.find("error: ") == std::string::npos ? "error: " : "", text);
  return kUserError;
}

absl::Status Run(const TextModel& kind, const Options& o) {
  const auto text = data::ReadFileOrGzip(o.text, kLongestText);
  if (!text.ok()) return text.status();
  const Alphabet alphabet(*text);
  const auto numbers = alphabet.Encode(*text);
  if (!numbers.ok()) return numbers.status();
  // The last tenth tells how well a text is continued that was not learned.
  const auto cut = static_cast<ptrdiff_t>(numbers->size() - numbers->size() / 10);
  // Without a prompt, the beginning of that tenth.
  const std::string prompt =
      o.prompt.empty() ? text->substr(static_cast<size_t>(cut), 32) : o.prompt;
  if (const auto known = alphabet.Encode(prompt); !known.ok()) return known.status();
  auto train = text_models::Windows({numbers->begin(), numbers->begin() + cut}, o.window);
  if (!train.ok()) return train.status();
  auto validation = text_models::Windows({numbers->begin() + cut, numbers->end()}, o.window);
  if (!validation.ok()) return validation.status();
  fmt::print("{}: {} characters, {} different; windows of {}: {} to train, {} to validate\n",
             o.text, numbers->size(), alphabet.size(), o.window, train->samples(),
             validation->samples());

  Model model{std::string(kind.name)};
  kind.build(model, {.alphabet = alphabet.size(),
                     .window = o.window,
                     .width = o.width,
                     .layers = o.layers > 0 ? o.layers : kind.layers,
                     .heads = o.heads});
  const int64_t steps = (train->samples() + o.batch_size - 1) / o.batch_size;
  const int64_t warmup = std::min<int64_t>(100, steps * o.epochs / 10 + 1);
  auto trainer = Compile(
      model, {.optimizer = Adam(
                  {.learning_rate = o.learning_rate > 0 ? o.learning_rate : kind.learning_rate}),
              .loss = sparse_categorical_crossentropy_from_logits,
              .metrics = {accuracy},
              .schedule = Warmup(warmup) * CosineDecay(steps * o.epochs, 0.1),
              .clipping = ClipByGlobalNorm(1)});
  if (!trainer.ok()) return trainer.status();
  auto pool = runtime::ThreadPool::Create(o.threads);
  if (!pool.ok()) return pool.status();
  trainer->SetThreads((*pool)->threads());
  if (absl::Status s = trainer->Reset(static_cast<uint64_t>(o.seed)); !s.ok()) return s;
  trainer->Summary();

  if (o.load.empty()) {
    FitOptions fit;
    fit.epochs = o.epochs;
    fit.batch_size = o.batch_size;
    fit.seed = static_cast<uint64_t>(o.seed);
    fit.validation = &*validation;
    fit.record_scores = false;
    const auto start = std::chrono::steady_clock::now();
    auto history = trainer->Fit(*train, fit);
    if (!history.ok()) return history.status();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    fmt::print("trained {} epochs in {:.1f} s; compiled in {:.0f} ms{}\n", o.epochs,
               seconds.count(), trainer->compile_report().total_ms,
               trainer->compile_report().from_cache ? " (object cache)" : "");
  } else if (absl::Status s = trainer->LoadWeights(o.load); !s.ok()) {
    return s;
  }
  if (!o.save.empty()) {
    if (absl::Status s = trainer->SaveWeights(o.save); !s.ok()) return s;
  }
  const auto after = trainer->Evaluate(*validation);
  if (!after.ok()) return after.status();
  fmt::print("on the last tenth: {}, {:.3f} bits a character\n",
             FormatEvaluation(*after, trainer->metric_names()), after->loss / std::log(2.0));

  auto continued = text_models::Continue(*trainer, alphabet, o.window, prompt,
                                         {.characters = o.sample,
                                          .temperature = o.temperature,
                                          .seed = static_cast<uint64_t>(o.seed)});
  if (!continued.ok()) return continued.status();
  fmt::print("--- {}|{}\n", prompt, *continued);
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("Learns to continue a text, character by character.");
  Options o;
  const CLI::Range count(int64_t{1}, int64_t{1'000'000});
  const CLI::Range small(int64_t{1}, int64_t{4096});
  app.add_option("--text", o.text, "file to learn from, as it is or .gz; default LICENSE");
  app.add_option("--model", o.model, "lstm or transformer; default lstm");
  app.add_option("--window", o.window, "characters that a model sees; default 64")->check(small);
  app.add_option("--width", o.width, "numbers that stand for a character; default 128")
      ->check(small);
  app.add_option("--layers", o.layers, "default: the model's own")->check(CLI::Range(1, 64));
  app.add_option("--heads", o.heads, "of a transformer; default 4")->check(small);
  app.add_option("--epochs", o.epochs, "default 10")->check(count);
  app.add_option("--batch_size", o.batch_size, "windows a step; default 32")->check(count);
  app.add_option("--learning_rate", o.learning_rate, "of Adam; default: the model's own")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", o.seed, "of weights, order and samples; default 0")
      ->check(CLI::Range(int64_t{0}, std::numeric_limits<int64_t>::max()));
  app.add_option("--threads", o.threads, "default 1")->check(CLI::Range(1, 256));
  app.add_option("--save", o.save, "write the weights to this file (safetensors)");
  app.add_option("--load", o.load, "read the weights from this file instead of training");
  app.add_option("--prompt", o.prompt, "what is to be continued; default: from the text");
  app.add_option("--sample", o.sample, "characters to write; default 300")
      ->check(CLI::Range(int64_t{0}, int64_t{1'000'000}));
  app.add_option("--temperature", o.temperature,
                 "0: always the likeliest character; 1: as the model says; default 0.7")
      ->check(CLI::Range(0.0, 100.0));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : kBadFlags;
  }
  std::string names;
  for (const TextModel& model : text_models::TextModels()) {
    if (model.name == o.model) {
      const absl::Status status = Run(model, o);
      return status.ok() ? 0 : Fail(status);
    }
    names += fmt::format("{}{}", names.empty() ? "" : ", ", model.name);
  }
  fmt::print(stderr, "error: --model={}: there is no such model; expected {}\n", o.model, names);
  return kBadFlags;
}

}  // namespace

int main(int argc, char** argv) { return Main(argc, argv); }
