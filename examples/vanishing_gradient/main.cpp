// Trains the same deep network with six activations and shows how much gradient is left at each
// layer. See README.md beside this file.

#include <cmath>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "fmt/format.h"
#include "frontend/data/philox.h"
#include "frontend/gradus.h"
#include "frontend/training/report/report.h"

using namespace gradus;

namespace {

struct Options {
  int64_t layers = 10, units = 32, epochs = 10;
  double learning_rate = 0.05;
  std::string report, histories;
};

struct Choice {
  std::string name;
  Activation activation;  // not of prelu, which is a layer with parameters
};

std::vector<Choice> Choices() {
  return {{"sigmoid", sigmoid}, {"tanh", tanh}, {"relu", relu}, {"leaky_relu", {leaky_relu, 0.1}},
          {"prelu", linear},    {"elu", elu}};
}

// Points of a square, and whether they lie in a circle.
absl::StatusOr<data::Dataset> Points(int64_t n, uint64_t seed) {
  data::PhiloxStream random(seed);
  std::vector<float> x, inside;
  for (int64_t i = 0; i < 2 * n; ++i) x.push_back(static_cast<float>(2 * random.Uniform() - 1));
  for (size_t i = 0; i < x.size(); i += 2) {
    inside.push_back(std::hypot(x[i], x[i + 1]) < 0.8F ? 1.0F : 0.0F);
  }
  auto points = runtime::Tensor::FromVector({n, 2}, x);
  auto targets = runtime::Tensor::FromVector({n, 1}, inside);
  if (!points.ok()) return points.status();
  if (!targets.ok()) return targets.status();
  return data::Dataset::Of({"x", *std::move(points)}, {"inside", *std::move(targets)});
}

absl::StatusOr<History> Train(const Choice& choice, const Options& options,
                              const data::Dataset& train, const data::Dataset& test) {
  Model m(choice.name);
  Tensor h = m.Input("x", {kBatch, 2});
  for (int64_t i = 1; i <= options.layers; ++i) {
    h = m.Add<Dense>(fmt::format("hidden_{}", i), options.units, choice.activation)(h);
    if (choice.name == "prelu") h = m.Add<PReLU>(fmt::format("prelu_{}", i))(h);
  }
  m.Output("inside", m.Add<Dense>("out", 1, sigmoid)(h));
  auto trainer = Compile(m, {.optimizer = SGD({.learning_rate = options.learning_rate}),
                             .loss = binary_crossentropy,
                             .metrics = {accuracy},
                             .record_norms = true});
  if (!trainer.ok()) return trainer.status();
  return trainer->Fit(train, {.epochs = options.epochs,
                              .batch_size = 32,
                              .validation = &test,
                              .progress = ProgressMode::kOff});
}

// Norms of the gradients of the kernels of hidden_1, hidden_2, ... at the first step.
std::vector<double> FirstGradients(const History& history) {
  std::vector<double> norms;
  for (const ParameterNorms& n : history.steps.norms) {
    if (n.name.starts_with("hidden_") && n.name.ends_with(".kernel")) {
      norms.push_back(n.gradient.empty() ? 0 : n.gradient.front());
    }
  }
  return norms;
}

void PrintTable(const std::vector<History>& histories, int64_t layers) {
  fmt::print("norm of each layer's gradient at the first step\n{:<10}", "layer");
  for (const History& h : histories) fmt::print("{:>12}", h.model);
  std::vector<std::vector<double>> norms;
  for (const History& h : histories) norms.push_back(FirstGradients(h));
  for (size_t i = 0; i < static_cast<size_t>(layers); ++i) {
    fmt::print("\nhidden_{:<3}", i + 1);
    for (const std::vector<double>& n : norms) fmt::print("{:>12.2e}", n[i]);
  }
  fmt::print("\n{:<10}", "first/last");
  for (const std::vector<double>& n : norms) fmt::print("{:>12.2e}", n.front() / n.back());
  fmt::print("\n{:<10}", "accuracy");
  for (const History& h : histories)
    fmt::print("{:>12.3f}", h.epochs.back().validation->metrics[0]);
  fmt::print("\n");
}

absl::Status Run(const Options& options) {
  const auto train = Points(2000, 1), test = Points(1000, 2);
  if (!train.ok()) return train.status();
  if (!test.ok()) return test.status();
  std::vector<History> histories;
  for (const Choice& choice : Choices()) {
    auto history = Train(choice, options, *train, *test);
    if (!history.ok()) return history.status();
    histories.push_back(*std::move(history));
    if (options.histories.empty()) continue;
    const std::string path = fmt::format("{}/{}.json", options.histories, choice.name);
    if (absl::Status s = histories.back().WriteJson(path); !s.ok()) return s;
  }
  PrintTable(histories, options.layers);
  if (options.report.empty()) return absl::OkStatus();
  if (absl::Status s = WriteReport(histories, options.report); !s.ok()) return s;
  fmt::print("wrote {}\n", options.report);
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Shows how gradients vanish in deep networks, by activation.");
  Options options;
  app.add_option("--layers", options.layers, "hidden layers; default 10")
      ->check(CLI::Range(int64_t{1}, int64_t{100}));
  app.add_option("--units", options.units, "of each hidden layer; default 32")
      ->check(CLI::Range(int64_t{1}, int64_t{1024}));
  app.add_option("--epochs", options.epochs, "default 10")
      ->check(CLI::Range(int64_t{1}, int64_t{10'000}));
  app.add_option("--learning_rate", options.learning_rate, "of gradient descent; default 0.05");
  app.add_option("--report", options.report, "write pictures of it all to this HTML file");
  app.add_option("--histories", options.histories,
                 "write one history an activation to this folder");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  const absl::Status status = Run(options);
  if (!status.ok()) fmt::print(stderr, "error: {}\n", std::string(status.message()));
  return status.ok() ? 0 : 1;
}
