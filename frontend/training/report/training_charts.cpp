// Charts of what happened while a model was trained: epoch by epoch and step by step.

#include <algorithm>
#include <cmath>
#include <optional>

#include "frontend/training/report/line_chart.h"
#include "frontend/training/report/sections.h"

namespace gradus::report {
namespace {

// What one run had for a metric ("": the loss) at an epoch; nothing if it has no such metric.
std::optional<double> Value(const History& h, const Evaluation& e, const std::string& metric) {
  if (metric.empty()) return e.loss;
  const auto at = std::find(h.metric_names.begin(), h.metric_names.end(), metric);
  const auto i = static_cast<size_t>(at - h.metric_names.begin());
  if (i >= e.metrics.size()) return std::nullopt;
  return e.metrics[i];
}

void AddLast(Series& s) {
  if (!s.y.empty()) s.remark = "ends at " + Readable(s.y.back());
}

LineChart MetricChart(const Runs& runs, const std::string& metric) {
  const std::string name = metric.empty() ? "loss" : metric;
  LineChart chart{.title = name, .x_label = "epoch", .y_label = name, .whole_x = true};
  const bool alone = runs.size() == 1;
  for (size_t i = 0; i < runs.size(); ++i) {
    const History& h = *runs[i].history;
    const int colour = static_cast<int>(i);
    Series training{.name = alone ? "training" : runs[i].name + ", training",
                    .stroke = {.colour = colour, .dashed = !alone}};
    Series validation{.name = alone ? "validation" : runs[i].name + ", validation",
                      .stroke = {.colour = alone ? 1 : colour}};
    const auto add = [&](Series& s, const EpochRecord& e, const Evaluation& values) {
      const std::optional<double> v = Value(h, values, metric);
      if (!v) return;
      s.x.push_back(static_cast<double>(e.epoch));
      s.y.push_back(*v);
    };
    for (const EpochRecord& e : h.epochs) {
      add(training, e, e.training);
      if (e.validation) add(validation, e, *e.validation);
    }
    if (!alone && !validation.x.empty()) {
      training.in_legend = false;
      validation.name = runs[i].name;
      chart.note = "dashed: training, solid: validation";
    }
    for (Series* s : {&training, &validation}) {
      if (s->x.empty()) continue;
      AddLast(*s);
      chart.series.push_back(std::move(*s));
    }
  }
  return chart;
}

Range DrawnRange(const LineChart& chart) {
  Range range;
  for (const Series& s : chart.series) {
    for (const double y : s.y) {
      if (IsDrawable(y, false)) range.Add(y);
    }
  }
  return range;
}

using Column = const std::vector<double>& (*)(const StepRecords&);

LineChart StepChart(const Runs& runs, std::string title, std::string label, Column column) {
  LineChart chart{
      .title = std::move(title), .x_label = "step", .y_label = std::move(label), .whole_x = true};
  for (size_t i = 0; i < runs.size(); ++i) {
    const StepRecords& steps = runs[i].history->steps;
    const std::vector<double>& values = column(steps);
    if (values.empty()) continue;
    Series s{.name = runs[i].name,
             .x = {steps.step.begin(), steps.step.end()},
             .y = values,
             .stroke = {.colour = static_cast<int>(i), .thin = true}};
    chart.series.push_back(std::move(s));
  }
  return chart;
}

// Learning rates by epoch, where steps were not recorded.
LineChart EpochRates(const Runs& runs) {
  LineChart chart{.title = "learning rate", .x_label = "epoch", .y_label = "rate", .whole_x = true};
  for (size_t i = 0; i < runs.size(); ++i) {
    Series s{.name = runs[i].name, .stroke = {.colour = static_cast<int>(i)}};
    for (const EpochRecord& e : runs[i].history->epochs) {
      s.x.push_back(static_cast<double>(e.epoch));
      s.y.push_back(e.learning_rate);
    }
    if (!s.x.empty()) chart.series.push_back(std::move(s));
  }
  return chart;
}

}  // namespace

std::string EpochCharts(const Runs& runs, Ids& ids) {
  std::vector<std::string> metrics = {""};
  for (const Run& r : runs) {
    for (const std::string& m : r.history->metric_names) {
      if (std::find(metrics.begin(), metrics.end(), m) == metrics.end()) metrics.push_back(m);
    }
  }
  std::string figures;
  for (const std::string& m : metrics) {
    LineChart chart = MetricChart(runs, m);
    if (!chart.series.empty()) figures += ToHtml(chart, ids.Next());
  }
  return Section("Loss and metrics",
                 "Training values are means over the epoch while the weights moved; validation "
                 "values are of the weights at its end.",
                 figures);
}

std::string StepCharts(const Runs& runs, Ids& ids) {
  std::string figures;
  const auto add = [&](LineChart chart, double logarithmic_from, bool from_zero = false) {
    if (chart.series.empty()) return;
    const Range range = DrawnRange(chart);
    chart.logarithmic = range.low > 0 && range.high > logarithmic_from * range.low;
    if (from_zero && !chart.logarithmic) chart.y = Range{0, 0};
    figures += ToHtml(chart, ids.Next());
  };
  add(StepChart(runs, "loss of each batch", "loss",
                [](const StepRecords& s) -> const std::vector<double>& { return s.loss; }),
      100);
  LineChart rates =
      StepChart(runs, "learning rate", "rate",
                [](const StepRecords& s) -> const std::vector<double>& { return s.learning_rate; });
  add(rates.series.empty() ? EpochRates(runs) : std::move(rates), 20);
  LineChart times =
      StepChart(runs, "time per step", "milliseconds",
                [](const StepRecords& s) -> const std::vector<double>& { return s.milliseconds; });
  for (Series& s : times.series) s.remark = "median " + Readable(Median(s.y)) + " ms";
  add(std::move(times), 20, /*from_zero=*/true);
  return Section("Steps", "", figures);
}

}  // namespace gradus::report
