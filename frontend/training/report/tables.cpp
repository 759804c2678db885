// The tables of a report: an overview of the runs, and the layers of their models.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "frontend/training/report/html.h"
#include "frontend/training/report/scale.h"
#include "frontend/training/report/sections.h"

namespace gradus::report {
namespace {

std::string Duration(double seconds) {
  if (seconds < 0.001) return fmt::format("{:.0f} µs", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.3g} ms", seconds * 1e3);
  if (seconds < 120) return fmt::format("{:.3g} s", seconds);
  return fmt::format("{:.0f} min", seconds / 60);
}

std::string BestValidation(const History& h) {
  const EpochRecord* best = nullptr;
  for (const EpochRecord& e : h.epochs) {
    if (!e.validation || std::isnan(e.validation->loss)) continue;
    if (best == nullptr || e.validation->loss < best->validation->loss) best = &e;
  }
  if (best == nullptr) return "";
  return fmt::format("{} (epoch {})", Readable(best->validation->loss), best->epoch);
}

std::string Last(const History& h, bool validation, const std::string& metric) {
  if (h.epochs.empty()) return "";
  const EpochRecord& e = h.epochs.back();
  if (validation && !e.validation) return "";
  const Evaluation& values = validation ? *e.validation : e.training;
  if (metric.empty()) return Readable(values.loss);
  const auto at = std::find(h.metric_names.begin(), h.metric_names.end(), metric);
  const auto i = static_cast<size_t>(at - h.metric_names.begin());
  return i < values.metrics.size() ? Readable(values.metrics[i]) : "";
}

}  // namespace

double Median(std::vector<double> values) {
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string Section(std::string_view heading, std::string_view sentence, std::string_view figures) {
  if (figures.empty()) return "";
  std::string text = fmt::format("<h2>{}</h2>\n", Escaped(heading));
  if (!sentence.empty()) text += fmt::format("<p>{}</p>\n", Escaped(sentence));
  return text + fmt::format("<div class=\"charts\">\n{}</div>\n", figures);
}

std::string Overview(const Runs& runs) {
  Table table;
  if (runs.size() > 1) {
    table.header.emplace_back();
    for (const Run& r : runs) table.header.push_back(r.name);
  }
  // A row that is empty for all is left out.
  const auto row = [&](std::string head, const std::function<std::string(const History&)>& f) {
    std::vector<std::string> cells = {std::move(head)};
    bool any = false;
    for (const Run& r : runs) {
      cells.push_back(f(*r.history));
      any = any || !cells.back().empty();
    }
    if (any) table.rows.push_back(std::move(cells));
  };
  std::vector<std::string> metrics = {""};  // the loss
  for (const Run& r : runs) {
    for (const std::string& m : r.history->metric_names) {
      if (std::find(metrics.begin(), metrics.end(), m) == metrics.end()) metrics.push_back(m);
    }
  }
  const bool named_by_model = std::all_of(runs.begin(), runs.end(),
                                          [](const Run& r) { return r.name == r.history->model; });
  if (!named_by_model) row("model", [](const History& h) { return h.model; });
  row("parameters",
      [](const History& h) { return h.parameters > 0 ? Readable(h.parameters) : ""; });
  row("compile time", [](const History& h) {
    if (!(h.compile_ms > 0)) return std::string();
    return Duration(h.compile_ms / 1e3) + (h.from_cache ? " (object cache)" : "");
  });
  row("epochs", [](const History& h) { return Readable(static_cast<int64_t>(h.epochs.size())); });
  row("batch size",
      [](const History& h) { return h.batch_size > 0 ? Readable(h.batch_size) : ""; });
  row("seed", [](const History& h) { return fmt::format("{}", h.seed); });
  row("training time", [](const History& h) {
    double seconds = 0;
    for (const EpochRecord& e : h.epochs) seconds += e.seconds;
    return seconds > 0 ? Duration(seconds) : "";
  });
  row("time per step, median", [](const History& h) {
    const double ms = Median(h.steps.milliseconds);
    return std::isnan(ms) ? "" : Duration(ms / 1e3);
  });
  for (const std::string& m : metrics) {
    const std::string name = m.empty() ? "loss" : m;
    row("last " + name + ", training", [&](const History& h) { return Last(h, false, m); });
    row("last " + name + ", validation", [&](const History& h) { return Last(h, true, m); });
  }
  row("best validation loss", BestValidation);
  row("ended early", [](const History& h) { return h.stopped; });
  return ToHtml(table);
}

std::string ModelTables(const Runs& runs) {
  std::string tables;
  for (const Run& r : runs) {
    const History& h = *r.history;
    if (h.layers.empty()) continue;
    const bool fused = std::any_of(h.layers.begin(), h.layers.end(),
                                   [](const ModelRow& row) { return !row.fused_into.empty(); });
    Table table{.caption = runs.size() > 1 ? r.name : "",
                .header = {"layer", "type", "output", "parameters"}};
    if (fused) table.header.emplace_back("kernels");
    for (const ModelRow& l : h.layers) {
      table.rows.push_back({l.layer, l.type, l.output, Readable(l.parameters)});
      if (fused) table.rows.back().push_back(l.fused_into);
    }
    table.rows.push_back({"total", "", "", Readable(h.parameters)});
    if (fused) table.rows.back().emplace_back();
    tables += ToHtml(table);
  }
  return tables;
}

}  // namespace gradus::report
