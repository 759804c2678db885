// Charts of a trained classifier's scores.

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "frontend/training/report/curves.h"
#include "frontend/training/report/html.h"
#include "frontend/training/report/line_chart.h"
#include "frontend/training/report/score_charts.h"
#include "frontend/training/report/sections.h"

namespace gradus::report {
namespace {

constexpr int64_t kMostCurves = 12;  // more would not be told apart
constexpr double kPixel = 1.0 / 400;

// One record of one run; a record may be drawn if IsValid.
struct Scored {
  std::string name;  // of run and, where it has several, of output
  const ScoreRecord* record;
};

LineChart EmptyRoc(const std::string& title) {
  return {.title = "ROC: " + title,
          .x_label = "false positive rate",
          .y_label = "true positive rate",
          .diagonal = true,
          .dots = false,
          .x = Range{0, 1},
          .y = Range{0, 1},
          .table = Table{.header = {"", "area", "positives", "negatives"}}};
}

LineChart EmptyPrecisionRecall(const std::string& title) {
  return {.title = "precision and recall: " + title,
          .x_label = "recall",
          .y_label = "precision",
          .dots = false,
          .x = Range{0, 1},
          .y = Range{0, 1},
          .table = Table{.header = {"", "average precision", "positives", "negatives"}}};
}

void AddCurve(LineChart& chart, Curve curve, const BinaryScores& samples, std::string name,
              int colour) {
  chart.table->rows.push_back({name, fmt::format("{:.4f}", curve.area),
                               Readable(samples.positives()), Readable(samples.negatives())});
  if (curve.x.empty() || chart.series.size() >= kMostCurves) return;
  Thin(curve, kPixel);
  chart.series.push_back({.name = std::move(name),
                          .remark = fmt::format("area {:.4f}", curve.area),
                          .x = std::move(curve.x),
                          .y = std::move(curve.y),
                          .stroke = {.colour = colour}});
}

std::string Draw(const LineChart& chart, Ids& ids) {
  return chart.series.empty() ? "" : ToHtml(chart, ids.Next());
}

// All two-class answers on one part of the data, in the same charts.
std::string BinaryCurves(const std::string& part, const std::vector<Scored>& all, Ids& ids) {
  LineChart roc = EmptyRoc(part), pr = EmptyPrecisionRecall(part);
  for (size_t i = 0; i < all.size(); ++i) {
    const BinaryScores samples = OneAgainstRest(*all[i].record, 1);
    const int colour = static_cast<int>(i);
    AddCurve(roc, Roc(samples), samples, all[i].name, colour);
    AddCurve(pr, PrecisionRecall(samples), samples, all[i].name, colour);
  }
  return Draw(roc, ids) + Draw(pr, ids);
}

// Each class against the rest.
std::string ClassCurves(const std::string& title, const ScoreRecord& record, Ids& ids) {
  LineChart roc = EmptyRoc(title), pr = EmptyPrecisionRecall(title);
  for (int64_t c = 0; c < Classes(record); ++c) {
    const BinaryScores samples = OneAgainstRest(record, c);
    const std::string name = fmt::format("class {}", c);
    AddCurve(roc, Roc(samples), samples, name, static_cast<int>(c));
    AddCurve(pr, PrecisionRecall(samples), samples, name, static_cast<int>(c));
  }
  return Draw(roc, ids) + Draw(pr, ids);
}

std::string Distributions(const std::string& title, const ScoreRecord& record, Ids& ids) {
  std::string figures;
  const bool binary = Classes(record) == 2;
  const int64_t last = std::min(Classes(record), kMostCurves) - 1;
  for (int64_t c = binary ? 1 : 0; c <= last; ++c) {
    const BinaryScores samples = OneAgainstRest(record, c);
    Histogram histogram{.title = "scores: " + title, .x_label = "score", .x = {0, 1}};
    histogram.groups = {{.name = binary ? "class 0" : "other classes", .stroke = {.colour = 0}},
                        {.name = fmt::format("class {}", c), .stroke = {.colour = 1}}};
    if (!binary) {
      histogram.title += fmt::format(", class {}", c);
      histogram.x_label = fmt::format("score of class {}", c);
    }
    for (size_t i = 0; i < samples.scores.size(); ++i) {
      histogram.groups[samples.positive[i] ? 1 : 0].values.push_back(samples.scores[i]);
    }
    figures += ToHtml(histogram, ids.Next());
  }
  return figures;
}

std::string TwoClassRemark(const ConfusionMatrix& m) {
  const auto at = [&](size_t i) { return static_cast<double>(m.counts[i]); };
  const double all = at(0) + at(1) + at(2) + at(3);
  const double precision = at(3) / (at(1) + at(3)), recall = at(3) / (at(2) + at(3));
  return fmt::format("accuracy {}, of class 1 precision {}, recall {}, F1 {}",
                     Readable((at(0) + at(3)) / all), Readable(precision), Readable(recall),
                     Readable(2 * at(3) / (2 * at(3) + at(1) + at(2))));
}

// The mistakes that are made most often, of too many classes for a matrix.
std::string CommonMistakes(const std::string& title,
                           const std::map<std::pair<int64_t, int64_t>, int64_t>& counts) {
  std::vector<std::pair<int64_t, std::pair<int64_t, int64_t>>> mistakes;
  for (const auto& [pair, count] : counts) {
    if (pair.first != pair.second) mistakes.emplace_back(count, pair);
  }
  std::stable_sort(mistakes.begin(), mistakes.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  Table table{.header = {"truth", "answer", "samples"}};
  for (size_t i = 0; i < std::min<size_t>(mistakes.size(), 20); ++i) {
    table.rows.push_back({fmt::format("{}", mistakes[i].second.first),
                          fmt::format("{}", mistakes[i].second.second),
                          Readable(mistakes[i].first)});
  }
  return Figure("most frequent mistakes: " + title, ToHtml(table));
}

std::string Confusion(const std::string& title, const ScoreRecord& record, Ids& ids) {
  std::map<std::pair<int64_t, int64_t>, int64_t> counts;
  int64_t answered = 0, right = 0;
  for (size_t i = 0; i < record.labels.size(); ++i) {
    const auto truth = static_cast<int64_t>(record.labels[i]);
    const int64_t answer = Answer(record, i);
    if (answer < 0) continue;
    ++counts[{truth, answer}];
    ++answered;
    right += truth == answer ? 1 : 0;
  }
  if (answered == 0) return "";
  const int64_t classes = Classes(record);
  if (classes > kMostMatrixClasses) return CommonMistakes(title, counts);
  ConfusionMatrix matrix{.title = "confusion: " + title, .classes = classes};
  matrix.counts.resize(static_cast<size_t>(classes * classes));
  for (const auto& [pair, count] : counts) {
    matrix.counts[static_cast<size_t>(pair.first * classes + pair.second)] = count;
  }
  if (classes == 2) {
    matrix.remark = TwoClassRemark(matrix);
    if (record.classes <= 1) matrix.remark += "; answered 1 from a score of 0.5 on";
  } else {
    matrix.remark =
        fmt::format("accuracy {}; answered with the class of the largest score",
                    Readable(static_cast<double>(right) / static_cast<double>(answered)));
  }
  return ToHtml(matrix, ids.Next());
}

}  // namespace

std::string ScoreCharts(const Runs& runs, Ids& ids) {
  std::map<std::string, std::vector<Scored>> binary;  // by part
  std::vector<Scored> all;
  std::string unusable;
  for (const Run& run : runs) {
    const std::vector<ScoreRecord>& records = run.history->scores;
    const bool outputs = std::any_of(records.begin(), records.end(), [&](const ScoreRecord& r) {
      return r.output != records[0].output;
    });
    for (const ScoreRecord& r : records) {
      const std::string name = outputs ? fmt::format("{} {}", run.name, r.output) : run.name;
      if (!IsValid(r)) {
        unusable += fmt::format(
            "<p>Scores of {} on {} cannot be drawn: labels are not class numbers.</p>\n",
            Escaped(name), Escaped(r.part));
        continue;
      }
      all.push_back({name, &r});
      if (Classes(r) == 2) binary[r.part].push_back(all.back());
    }
  }
  std::string figures;
  for (const auto& [part, records] : binary) figures += BinaryCurves(part, records, ids);
  for (const Scored& s : all) {
    const std::string title = runs.size() == 1 && s.name == runs[0].name
                                  ? s.record->part
                                  : s.name + ", " + s.record->part;
    if (Classes(*s.record) > 2) figures += ClassCurves(title, *s.record, ids);
    figures += Confusion(title, *s.record, ids);
    figures += Distributions(title, *s.record, ids);
  }
  return unusable + Section("Scores", "", figures);
}

}  // namespace gradus::report
