// Charts of the norms of gradients and weights, by layer: where a gradient vanishes or explodes.

#include <algorithm>
#include <cmath>

#include "frontend/training/report/line_chart.h"
#include "frontend/training/report/sections.h"

namespace gradus::report {
namespace {

constexpr size_t kMostPointsForThickLines = 100;

// All parameters of a layer as one vector.
struct LayerNorms {
  std::string layer;  // "hidden" of "hidden.kernel"
  std::vector<double> gradient, weight;
};

void Join(std::vector<double>& norm, const std::vector<double>& more) {
  norm.resize(more.size());
  for (size_t i = 0; i < more.size(); ++i) norm[i] = std::hypot(norm[i], more[i]);
}

// In the order in which the model has them.
std::vector<LayerNorms> ByLayer(const StepRecords& steps) {
  std::vector<LayerNorms> layers;
  for (const ParameterNorms& n : steps.norms) {
    const std::string layer = n.name.substr(0, n.name.rfind('.'));
    auto at = std::find_if(layers.begin(), layers.end(),
                           [&](const LayerNorms& l) { return l.layer == layer; });
    if (at == layers.end()) at = layers.insert(at, {layer, {}, {}});
    Join(at->gradient, n.gradient);
    Join(at->weight, n.weight);
  }
  return layers;
}

LineChart OverTime(const Run& run, const std::vector<LayerNorms>& layers, bool gradient,
                   bool name_run) {
  const std::string what = gradient ? "gradient norm" : "weight norm";
  LineChart chart{.title = what + " of each layer" + (name_run ? ": " + run.name : ""),
                  .x_label = "step",
                  .y_label = what,
                  .logarithmic = true,
                  .whole_x = true};
  const std::vector<int64_t>& steps = run.history->steps.step;
  for (size_t i = 0; i < layers.size(); ++i) {
    const double place =
        layers.size() == 1 ? 0.5 : static_cast<double>(i) / static_cast<double>(layers.size() - 1);
    chart.series.push_back(
        {.name = layers[i].layer,
         .x = {steps.begin(), steps.end()},
         .y = gradient ? layers[i].gradient : layers[i].weight,
         .stroke = {.thin = steps.size() > kMostPointsForThickLines, .ramp = place}});
  }
  return chart;
}

// Layers of the first run that all runs have.
std::vector<std::string> CommonLayers(const std::vector<std::vector<LayerNorms>>& runs) {
  std::vector<std::string> common;
  for (const LayerNorms& l : runs[0]) {
    const bool in_all = std::all_of(runs.begin(), runs.end(), [&](const auto& layers) {
      return std::any_of(layers.begin(), layers.end(),
                         [&](const LayerNorms& other) { return other.layer == l.layer; });
    });
    if (in_all) common.push_back(l.layer);
  }
  return common;
}

LineChart ByDepth(const Runs& runs, const std::vector<std::vector<LayerNorms>>& norms,
                  const std::vector<std::string>& layers, bool first_step) {
  LineChart chart{.title = first_step ? "gradient norm by depth, at the first step"
                                      : "gradient norm by depth, median of all steps",
                  .x_label = "layer, from the input",
                  .y_label = "gradient norm",
                  .logarithmic = true,
                  .whole_x = true};
  Table table{.header = {"layer"}};
  for (const std::string& l : layers) {
    table.rows.push_back({fmt::format("{} {}", table.rows.size() + 1, l)});
  }
  for (size_t r = 0; r < runs.size(); ++r) {
    Series s{.name = runs[r].name, .stroke = {.colour = static_cast<int>(r)}};
    table.header.push_back(runs[r].name);
    for (size_t i = 0; i < layers.size(); ++i) {
      const auto at = std::find_if(norms[r].begin(), norms[r].end(),
                                   [&](const LayerNorms& l) { return l.layer == layers[i]; });
      const double norm = first_step ? at->gradient.front() : Median(at->gradient);
      s.x.push_back(static_cast<double>(i + 1));
      s.y.push_back(norm);
      table.rows[i].push_back(Readable(norm));
    }
    chart.series.push_back(std::move(s));
  }
  chart.table = std::move(table);
  return chart;
}

}  // namespace

std::string NormCharts(const Runs& all_runs, Ids& ids) {
  Runs runs;  // that have norms
  std::vector<std::vector<LayerNorms>> norms;
  for (const Run& r : all_runs) {
    if (r.history->steps.norms.empty() || r.history->steps.step.empty()) continue;
    runs.push_back(r);
    norms.push_back(ByLayer(r.history->steps));
  }
  if (runs.empty()) return "";

  std::string figures;
  if (const std::vector<std::string> layers = CommonLayers(norms); layers.size() > 1) {
    for (const bool first_step : {true, false}) {
      figures += ToHtml(ByDepth(runs, norms, layers, first_step), ids.Next());
    }
  }
  // The same axis for all runs, so that they can be compared by eye.
  std::vector<LineChart> gradients, weights;
  for (size_t r = 0; r < runs.size(); ++r) {
    gradients.push_back(OverTime(runs[r], norms[r], /*gradient=*/true, all_runs.size() > 1));
    weights.push_back(OverTime(runs[r], norms[r], /*gradient=*/false, all_runs.size() > 1));
  }
  const auto join = [](std::vector<LineChart>& charts) {
    Range range;
    for (const LineChart& c : charts) {
      for (const Series& s : c.series) {
        for (const double y : s.y) {
          if (IsDrawable(y, true)) range.Add(y);
        }
      }
    }
    for (LineChart& c : charts) c.y = range;
  };
  join(gradients);
  join(weights);
  for (size_t r = 0; r < runs.size(); ++r) {
    figures += ToHtml(gradients[r], ids.Next());
    figures += ToHtml(weights[r], ids.Next());
  }
  return Section("Layers",
                 "Euclidean norms of each layer's gradient and weights, on logarithmic axes. A "
                 "gradient that falls by orders of magnitude towards the input vanishes: the "
                 "first layers hardly learn.",
                 figures);
}

}  // namespace gradus::report
