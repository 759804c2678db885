#pragma once

// The sections of a report, each HTML, or empty where the histories have nothing to show in it.

#include <string>
#include <vector>

#include "fmt/format.h"
#include "frontend/training/history.h"

namespace gradus::report {

struct Run {
  std::string name;  // no two of a report are equal
  const History* history = nullptr;
};
using Runs = std::vector<Run>;

// Names of the page's figures.
class Ids {
 public:
  std::string Next() { return fmt::format("figure{}", ++count_); }

 private:
  int count_ = 0;
};

// Tables of what was trained, how long it took, and how it ended.
std::string Overview(const Runs& runs);
// Loss and every metric, epoch by epoch.
std::string EpochCharts(const Runs& runs, Ids& ids);
// Loss of the batch, learning rate and time, step by step.
std::string StepCharts(const Runs& runs, Ids& ids);
// Norms of gradients and weights: each layer over time, and all layers by depth.
std::string NormCharts(const Runs& runs, Ids& ids);
// ROC, precision and recall, confusion, distribution of scores.
std::string ScoreCharts(const Runs& runs, Ids& ids);
// Layers of each model.
std::string ModelTables(const Runs& runs);

// A heading, a sentence, and figures side by side.
std::string Section(std::string_view heading, std::string_view sentence, std::string_view figures);
// The median of what is finite; NaN if nothing is.
double Median(std::vector<double> values);

}  // namespace gradus::report
