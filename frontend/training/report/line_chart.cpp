#include "frontend/training/report/line_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "fmt/format.h"

namespace gradus::report {
namespace {

constexpr size_t kBuckets = 300;
constexpr size_t kMostDots = 40;  // more than that would hide the curve
constexpr size_t kMostRows = 100;
constexpr size_t kMostDescribed = 12;

std::string Describe(const LineChart& chart) {
  std::string text = fmt::format("{} over {}{}.", chart.y_label, chart.x_label,
                                 chart.logarithmic ? ", logarithmic" : "");
  for (size_t i = 0; i < std::min(chart.series.size(), kMostDescribed); ++i) {
    const Series& s = chart.series[i];
    Range range;
    for (const double y : s.y) {
      if (IsDrawable(y, false)) range.Add(y);
    }
    if (range.empty()) continue;
    text += fmt::format(" {}: {} points, first {}, last {}, least {}, largest {}.", s.name,
                        s.y.size(), Readable(s.y.front()), Readable(s.y.back()),
                        Readable(range.low), Readable(range.high));
  }
  return text;
}

std::string Legend(const LineChart& chart) {
  std::string text = "<ul class=\"legend\">";
  for (const Series& s : chart.series) {
    if (!s.in_legend) continue;
    text += fmt::format("<li>{}<b>{}</b> {}</li>\n", Sample(s.stroke), Escaped(s.name),
                        Escaped(s.remark));
  }
  return text + "</ul>\n";
}

// One row an x; of many every n-th, and the last.
Table Points(const LineChart& chart) {
  Table table;
  table.header.push_back(chart.x_label);
  std::map<double, std::vector<std::string>> rows;
  for (size_t k = 0; k < chart.series.size(); ++k) {
    const Series& s = chart.series[k];
    table.header.push_back(s.name);
    for (size_t i = 0; i < s.x.size(); ++i) {
      std::vector<std::string>& row = rows[s.x[i]];
      row.resize(chart.series.size() + 1);
      row[0] = Readable(s.x[i]);
      row[k + 1] = Readable(s.y[i]);
    }
  }
  const size_t stride = (rows.size() + kMostRows - 1) / kMostRows;
  size_t at = 0;
  for (auto& [x, row] : rows) {
    if (at % stride == 0 || at + 1 == rows.size()) table.rows.push_back(std::move(row));
    ++at;
  }
  return table;
}

void DrawSeries(const Series& s, const LineChart& chart, Plot& plot) {
  std::string path, dots;
  bool open = false, alone = false;
  const bool dotted = chart.dots && s.x.size() <= kMostDots && !s.stroke.thin;
  for (size_t i = 0; i < s.x.size(); ++i) {
    if (!IsDrawable(s.y[i], chart.logarithmic)) {
      if (alone) path += "h0";
      open = alone = false;
      continue;
    }
    const double x = plot.X(s.x[i]), y = plot.Y(s.y[i]);
    path += fmt::format("{}{:.1f} {:.1f}", open ? "L" : "M", x, y);
    alone = !open;
    open = true;
    if (dotted) {
      dots += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\"><title>{}</title></circle>", x, y,
          Escaped(fmt::format("{}, {}: {}", s.name, Readable(s.x[i]), Readable(s.y[i]))));
    }
  }
  if (alone) path += "h0";  // round ends make a dot of a point between gaps
  if (path.empty()) return;
  plot.Draw(fmt::format("<path {} d=\"{}\"/>\n", Attributes("line", s.stroke), path));
  if (dotted) {
    plot.Draw(fmt::format("<g {}>{}</g>\n", Attributes("dots", s.stroke), dots));
  }
}

}  // namespace

void Thin(Series& series, size_t buckets) {
  const size_t n = series.x.size();
  if (n <= 2 * buckets || series.x.back() <= series.x.front()) return;
  const double per_bucket =
      static_cast<double>(buckets) / (series.x.back() - series.x.front()) * (1 - 1e-12);
  const auto bucket = [&](size_t i) {
    const double at = (series.x[i] - series.x.front()) * per_bucket;
    return static_cast<size_t>(std::clamp(at, 0.0, static_cast<double>(buckets)));
  };
  std::vector<size_t> kept;
  for (size_t begin = 0, end = 0; begin < n; begin = end) {
    size_t least = begin, largest = begin, gap = n;
    for (end = begin; end < n && bucket(end) == bucket(begin); ++end) {
      if (!std::isfinite(series.y[end])) {
        gap = end;
        continue;
      }
      if (!(series.y[end] >= series.y[least])) least = end;
      if (!(series.y[end] <= series.y[largest])) largest = end;
    }
    std::vector<size_t> here = {least, largest};
    if (gap != n) here.push_back(gap);
    std::sort(here.begin(), here.end());
    here.erase(std::unique(here.begin(), here.end()), here.end());
    kept.insert(kept.end(), here.begin(), here.end());
  }
  for (size_t i = 0; i < kept.size(); ++i) {
    series.x[i] = series.x[kept[i]];
    series.y[i] = series.y[kept[i]];
  }
  series.x.resize(kept.size());
  series.y.resize(kept.size());
}

std::string ToHtml(const LineChart& chart, const std::string& id) {
  Range xs = chart.x.value_or(Range()), ys = chart.y.value_or(Range());
  size_t left_out = 0;
  for (const Series& s : chart.series) {
    for (size_t i = 0; i < s.x.size(); ++i) {
      xs.Add(s.x[i]);
      if (IsDrawable(s.y[i], chart.logarithmic)) {
        ys.Add(s.y[i]);
      } else {
        ++left_out;
      }
    }
  }
  const auto kind = chart.logarithmic ? Scale::Kind::kLogarithmic : Scale::Kind::kLinear;
  Plot plot({id, chart.title, chart.x_label, chart.y_label, Describe(chart)},
            Scale::For(xs, Scale::Kind::kLinear, /*round=*/false),
            Scale::For(ys, kind, /*round=*/true), chart.whole_x);
  if (chart.diagonal) {
    plot.Draw(fmt::format("<path class=\"aid\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n",
                          plot.X(xs.low), plot.Y(ys.low), plot.X(xs.high), plot.Y(ys.high)));
  }
  for (const Series& s : chart.series) {
    Series drawn = s;
    Thin(drawn, kBuckets);
    DrawSeries(drawn, chart, plot);
  }
  std::string below;
  if (!chart.note.empty()) {
    below += fmt::format("<p class=\"note\">{}</p>\n", Escaped(chart.note));
  }
  if (left_out > 0) {
    below +=
        fmt::format("<p class=\"note\">gaps: {} {}</p>\n", Readable(static_cast<int64_t>(left_out)),
                    chart.logarithmic ? "not finite or not above zero" : "not finite");
  }
  below += Folded("the numbers", chart.table ? *chart.table : Points(chart));
  return plot.Figure(Legend(chart), below);
}

}  // namespace gradus::report
