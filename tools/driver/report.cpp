#include "tools/driver/report.h"

#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "frontend/training/report/report.h"

namespace gradus::tools {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string output_file = "report.html";
};

Program Describe(Options& o) {
  return {
      .name = "gradus-report",
      .summary = "draws what trainings did: loss, metrics, scores, norms and times, on one page",
      .usage = "HISTORY... [flags]",
      .flags = {{"output", "FILE", "where to write the page (default report.html)", &o.output_file,
                 "o"}},
      .files = &o.files,
      .examples =
          "  gradus-report history.json\n"
          "  gradus-report rnn.json lstm.json -o compared.html\n"
          "A HISTORY is a file that History::WriteJson wrote; several are compared in the same "
          "charts.\n",
  };
}

// Models' names where they tell the histories apart, else those of the files.
std::vector<std::string> Names(const std::vector<History>& histories,
                               const std::vector<std::string>& files) {
  std::set<std::string> models;
  std::vector<std::string> names;
  for (const History& h : histories) {
    models.insert(h.model);
    names.push_back(h.model);
  }
  if (models.size() == histories.size() && !models.contains("")) return names;
  for (size_t i = 0; i < files.size(); ++i) {
    names[i] = std::filesystem::path(files[i]).stem().string();
  }
  return names;
}

absl::Status Execute(const Options& options, const Output& output) {
  std::vector<History> histories;
  for (const std::string& file : options.files) {
    absl::StatusOr<History> history = History::ReadJson(file);
    if (!history.ok()) return history.status();
    histories.push_back(*std::move(history));
  }
  absl::Status written =
      WriteReport(histories, options.output_file, Names(histories, options.files));
  if (!written.ok()) return written;
  output.out(fmt::format("wrote {}\n", options.output_file));
  return absl::OkStatus();
}

}  // namespace

int RunReport(std::span<const std::string> arguments, const Output& output) {
  Options options;
  const Program program = Describe(options);
  if (const auto code = ParseFlags(program, arguments, output)) return *code;
  if (options.files.empty()) return BadUse(program, output, "expected at least one HISTORY file");
  return Finish(Execute(options, output), output);
}

}  // namespace gradus::tools
