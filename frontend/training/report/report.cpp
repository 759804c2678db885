#include "frontend/training/report/report.h"

#include <algorithm>
#include <set>

#include "frontend/training/report/html.h"
#include "frontend/training/report/sections.h"
#include "runtime/files.h"

namespace gradus {
namespace {

report::Runs NamedRuns(std::span<const History> histories, std::span<const std::string> names) {
  report::Runs runs;
  std::set<std::string> taken;
  for (size_t i = 0; i < histories.size(); ++i) {
    std::string base = i < names.size() ? names[i] : histories[i].model;
    if (base.empty()) base = "training";
    std::string name = base;
    for (int n = 2; !taken.insert(name).second; ++n) name = fmt::format("{} ({})", base, n);
    runs.push_back({name, &histories[i]});
  }
  return runs;
}

}  // namespace

std::string ReportHtml(std::span<const History> histories, std::span<const std::string> names) {
  const report::Runs runs = NamedRuns(histories, names);
  const std::string title = runs.size() == 1 ? "Training of " + runs[0].name
                                             : fmt::format("{} trainings compared", runs.size());
  report::Ids ids;
  std::string body = fmt::format("<h1>{}</h1>\n", report::Escaped(title));
  const std::string models = report::ModelTables(runs);
  body += fmt::format("<div class=\"tables\">\n{}{}</div>\n", report::Overview(runs),
                      runs.size() == 1 ? models : "");
  body += report::EpochCharts(runs, ids);
  body += report::ScoreCharts(runs, ids);
  body += report::NormCharts(runs, ids);
  body += report::StepCharts(runs, ids);
  if (runs.size() > 1 && !models.empty()) {
    body += fmt::format("<h2>Models</h2>\n<div class=\"tables\">\n{}</div>\n", models);
  }
  return report::Page(title, body);
}

absl::Status WriteReport(std::span<const History> histories, std::string_view path,
                         std::span<const std::string> names) {
  return runtime::WriteFileAtomically(path, ReportHtml(histories, names));
}

absl::Status History::WriteReport(std::string_view path) const {
  return gradus::WriteReport(std::span(this, 1), path);
}

}  // namespace gradus
