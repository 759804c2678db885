#include "frontend/training/report/score_charts.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"
#include "frontend/training/report/html.h"

namespace gradus::report {
namespace {

constexpr size_t kBins = 25;

// The outline of bars that stand side by side.
std::string Outline(const Plot& plot, const Scale& x, const std::vector<double>& shares) {
  const double width = (x.high() - x.low()) / static_cast<double>(shares.size());
  std::string path = fmt::format("M{:.1f} {:.1f}", plot.X(x.low()), plot.Y(0));
  for (size_t i = 0; i < shares.size(); ++i) {
    path += fmt::format("V{:.1f}H{:.1f}", plot.Y(shares[i]),
                        plot.X(x.low() + width * static_cast<double>(i + 1)));
  }
  return path + fmt::format("V{:.1f}Z", plot.Y(0));
}

}  // namespace

std::string ToHtml(const Histogram& histogram, const std::string& id) {
  Range xs = histogram.x;
  for (const Histogram::Group& g : histogram.groups) {
    for (const double v : g.values) {
      if (IsDrawable(v, false)) xs.Add(v);
    }
  }
  const Scale x = Scale::For(xs, Scale::Kind::kLinear, /*round=*/false);

  std::vector<std::vector<double>> shares;
  Range ys;
  ys.Add(0);
  size_t left_out = 0;
  for (const Histogram::Group& g : histogram.groups) {
    std::vector<double> bins(kBins);
    double drawn = 0;
    for (const double v : g.values) {
      if (!IsDrawable(v, false)) {
        ++left_out;
        continue;
      }
      const auto bin = static_cast<size_t>(x.At(v) * kBins);
      ++bins[std::min(bin, kBins - 1)];
      ++drawn;
    }
    for (double& b : bins) {
      b = drawn == 0 ? 0 : 100 * b / drawn;
      ys.Add(b);
    }
    shares.push_back(std::move(bins));
  }

  std::string legend = "<ul class=\"legend\">";
  std::string description = "Share of each group over " + histogram.x_label + ".";
  Table table;
  table.header.push_back(histogram.x_label);
  for (const Histogram::Group& g : histogram.groups) {
    legend += fmt::format("<li>{}<b>{}</b> {}</li>\n", Sample(g.stroke), Escaped(g.name),
                          Readable(static_cast<int64_t>(g.values.size())));
    description += fmt::format(" {}: {} values.", g.name, g.values.size());
    table.header.push_back(g.name + ", %");
  }
  for (size_t i = 0; i < kBins; ++i) {
    const auto edge = [&](size_t k) {
      return x.low() + (x.high() - x.low()) * static_cast<double>(k) / kBins;
    };
    table.rows.push_back({fmt::format("{} to {}", Readable(edge(i)), Readable(edge(i + 1)))});
    for (const auto& s : shares) table.rows.back().push_back(fmt::format("{:.2f}", s[i]));
  }

  Plot plot({id, histogram.title, histogram.x_label, "% of the class", description}, x,
            Scale::For(ys, Scale::Kind::kLinear, /*round=*/true));
  for (size_t k = 0; k < shares.size(); ++k) {
    plot.Draw(fmt::format("<path {} d=\"{}\"/>\n", Attributes("bar", histogram.groups[k].stroke),
                          Outline(plot, x, shares[k])));
  }
  std::string below;
  if (left_out > 0) {
    below = fmt::format("<p class=\"note\">{} values that are not finite are left out.</p>\n",
                        Readable(static_cast<int64_t>(left_out)));
  }
  return plot.Figure(legend + "</ul>\n", below + Folded("the numbers", table));
}

std::string ToHtml(const ConfusionMatrix& matrix, const std::string& id) {
  const int64_t n = matrix.classes;
  const auto count = [&](int64_t truth, int64_t answer) {
    return matrix.counts[static_cast<size_t>(truth * n + answer)];
  };
  constexpr double kLeft = 64, kTop = 40;
  const double cell = std::min(80.0, (Plot::kWidth - kLeft - 16) / static_cast<double>(n));
  const double height = kTop + cell * static_cast<double>(n) + 8;
  std::string body = fmt::format(
      "<text x=\"{:.1f}\" y=\"12\">answer</text>\n<text x=\"0\" y=\"{:.1f}\">truth</text>\n", kLeft,
      kTop - 6);
  Table table;
  table.header.emplace_back("truth \\ answer");
  for (int64_t truth = 0; truth < n; ++truth) {
    int64_t all = 0;
    for (int64_t answer = 0; answer < n; ++answer) all += count(truth, answer);
    const double middle = (static_cast<double>(truth) + 0.5) * cell;
    body += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n"
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
        kLeft + middle, kTop - 8, truth, kLeft - 8, kTop + middle + 4, truth);
    table.header.push_back(fmt::format("{}", truth));
    table.rows.push_back({fmt::format("{}", truth)});
    for (int64_t answer = 0; answer < n; ++answer) {
      const int64_t c = count(truth, answer);
      const double share = all == 0 ? 0 : static_cast<double>(c) / static_cast<double>(all);
      const double x = kLeft + static_cast<double>(answer) * cell;
      const double y = kTop + static_cast<double>(truth) * cell;
      table.rows.back().push_back(Readable(c));
      body += fmt::format(
          "<rect class=\"cell\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
          "fill-opacity=\"{:.2f}\"><title>truth {}, answer {}: {}, {:.1f} %</title></rect>\n",
          x + 1, y + 1, cell - 2, cell - 2, 0.06 + 0.94 * share, truth, answer, c, 100 * share);
      const bool large = cell >= 50;
      const std::string number = Readable(c);
      if (cell < 9.0 * static_cast<double>(number.size())) continue;  // the table has it
      const char* ground = share > 0.5 ? "on" : "mark";
      body += fmt::format(
          "<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", ground,
          x + cell / 2, y + cell / 2 + (large ? -2 : 4), number);
      if (large) {
        body += fmt::format(
            "<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:.1f} %</text>\n",
            ground, x + cell / 2, y + cell / 2 + 15, 100 * share);
      }
    }
  }
  const std::string below = fmt::format("<p class=\"note\">{}</p>\n", Escaped(matrix.remark)) +
                            Folded("the numbers", table);
  const PlotText text{id, matrix.title, "", "",
                      fmt::format("Counts of answers to {} classes; rows are the truth.", n)};
  return Figure(matrix.title, Picture(text, height, body) + below);
}

}  // namespace gradus::report
