// Finds electricity thieves in monthly meter readings. See README.md beside this file.

#include <cstdio>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "examples/electricity_theft/experiment.h"
#include "examples/electricity_theft/synthetic_meters.h"
#include "fmt/format.h"
#include "frontend/training/report/report.h"
#include "runtime/files.h"

namespace {

using namespace gradus::electricity_theft;  // NOLINT: this is the program of that namespace

constexpr int kUserError = 1, kBadFlags = 2;

int Fail(const absl::Status& status) {
  const std::string text(status.message());
  fmt::print(stderr, "{}{}\n", text.find("error: ") == std::string::npos ? "error: " : "", text);
  return kUserError;
}

std::string Names() {
  std::string names;
  for (const Detector& d : Detectors()) names += (names.empty() ? "" : ", ") + std::string(d.name);
  return names;
}

int Run(int argc, char** argv) {
  CLI::App app("Trains a network to tell electricity thieves from honest customers.");
  DataOptions data_options;
  ExperimentOptions options;
  std::vector<std::string> models = {"mlp"};
  bool json = false;
  app.add_option(
      "--data", data_options.csv,
      "CSV with columns CUSTOMER, FLAG (1 = thief) and numbers; default: synthetic customers");
  app.add_option("--train_rows", data_options.train_rows, "npy file: row numbers to train on");
  app.add_option("--test_rows", data_options.test_rows, "npy file: row numbers to test on");
  app.add_option("--model", models, Names() + ", several with commas between, or all; default mlp")
      ->delimiter(',');
  int64_t seed = 0;
  app.add_option("--seed", seed, "of split, weights and order of samples; default 0")
      ->check(CLI::Range(int64_t{0}, std::numeric_limits<int64_t>::max()));
  app.add_option("--epochs", options.epochs, "default: the model's own")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}));
  app.add_option("--batch_size", options.batch_size, "default: the model's own")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}));
  app.add_option("--threads", options.threads, "default 1")->check(CLI::Range(1, 256));
  app.add_flag("--flush_subnormals", options.flush_subnormals,
               "take numbers below 2^-126 for zeros, which many processors are slow with");
  std::string write_data, report;
  app.add_option("--report", report, "write curves of the trainings to this HTML file");
  app.add_option("--write_data", write_data, "write the synthetic customers to this CSV and end");
  app.add_flag("--json", json, "one last line a model, for programs");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : kBadFlags;
  }

  if (!write_data.empty()) {
    const auto csv = MakeMetersCsv();
    if (!csv.ok()) return Fail(csv.status());
    const absl::Status written = gradus::runtime::WriteFileAtomically(write_data, *csv);
    return written.ok() ? 0 : Fail(written);
  }
  std::vector<const Detector*> detectors;
  for (const std::string& name : models) {
    const Detector* const found = FindDetector(name);
    if (found == nullptr && name != "all") {
      fmt::print(stderr, "error: --model={}: there is no such model; expected {} or all\n", name,
                 Names());
      return kBadFlags;
    }
    for (const Detector& d : Detectors()) {
      if (&d == found || name == "all") detectors.push_back(&d);
    }
  }
  options.seed = static_cast<uint64_t>(seed);
  data_options.seed = options.seed;
  auto data = LoadMeters(data_options);
  if (!data.ok()) return Fail(data.status());
  fmt::print("{}: {} customers, {} thieves, {} months; {} to train, {} to test\n", data->source,
             data->customers, data->thieves, data->months, data->train.answers.size(),
             data->test.answers.size());
  std::string lines;
  std::vector<gradus::History> histories;
  options.norms = !report.empty();
  for (const Detector* d : detectors) {
    auto outcome = RunExperiment(*d, *data, options);
    if (!outcome.ok()) return Fail(outcome.status());
    lines += ToJson(*outcome) + "\n";
    histories.push_back(std::move(outcome->history));
  }
  if (!report.empty()) {
    if (const absl::Status s = gradus::WriteReport(histories, report); !s.ok()) return Fail(s);
    fmt::print("curves of the training are in {}\n", report);
  }
  if (json) fmt::print("{}", lines);
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return Run(argc, argv); }
