#include "frontend/training/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "fmt/format.h"
#include "frontend/metrics.h"
#include "frontend/training/report/curves.h"
#include "frontend/training/report/html.h"
#include "frontend/training/report/line_chart.h"
#include "frontend/training/report/scale.h"
#include "frontend/training/report/score_charts.h"
#include "runtime/files.h"

namespace gradus::report {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> Labels(const Scale& scale, int most, bool whole = false) {
  std::vector<std::string> labels;
  for (const Scale::Tick& t : scale.Ticks(most, whole)) labels.push_back(t.label);
  return labels;
}

Range Between(double low, double high) {
  Range r;
  r.Add(low);
  r.Add(high);
  return r;
}

size_t Count(std::string_view text, std::string_view what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

TEST(Scale, LinearTicksAreRound) {
  const Scale s = Scale::For(Between(0.107, 0.7), Scale::Kind::kLinear, true);
  EXPECT_EQ(s.low(), 0) << "zero is near";
  EXPECT_DOUBLE_EQ(s.high(), 0.8);
  EXPECT_THAT(Labels(s, 7), ElementsAre("0", "0.2", "0.4", "0.6", "0.8"));
  EXPECT_DOUBLE_EQ(s.At(0.2), 0.25);
  EXPECT_THAT(Labels(Scale::For(Between(1, 30'000), Scale::Kind::kLinear, false), 6),
              ElementsAre("5,000", "10,000", "15,000", "20,000", "25,000", "30,000"));
  EXPECT_THAT(Labels(Scale::For(Between(1, 3), Scale::Kind::kLinear, false), 7, true),
              ElementsAre("1", "2", "3"));
  EXPECT_THAT(Labels(Scale::For(Between(-5, 5), Scale::Kind::kLinear, true), 6),
              ElementsAre("-6", "-4", "-2", "0", "2", "4", "6"));
}

TEST(Scale, LogarithmicTicksArePowers) {
  const Scale s = Scale::For(Between(3e-7, 0.4), Scale::Kind::kLogarithmic, true);
  EXPECT_THAT(Labels(s, 8),
              ElementsAre("10⁻⁷", "10⁻⁶", "10⁻⁵", "10⁻⁴", "0.001", "0.01", "0.1", "1"));
  EXPECT_THAT(Labels(s, 5), ElementsAre("10⁻⁶", "10⁻⁴", "0.01", "1"));
  EXPECT_NEAR(s.At(1e-7), 0, 1e-12);
  EXPECT_NEAR(s.At(std::sqrt(1e-7)), 0.5, 1e-12);
  EXPECT_THAT(Labels(Scale::For(Between(1, 50), Scale::Kind::kLogarithmic, false), 8),
              ElementsAre("1", "2", "5", "10", "20", "50"));
}

TEST(Scale, BearsStrangeRanges) {
  for (const Scale::Kind kind : {Scale::Kind::kLinear, Scale::Kind::kLogarithmic}) {
    for (const auto& [low, high] :
         {std::pair(1.0, 1.0), std::pair(1e-300, 1e300), std::pair(1e15, 1e15 + 1),
          std::pair(std::numeric_limits<double>::min(), 1.0)}) {
      for (const bool round : {false, true}) {
        const Scale s = Scale::For(Between(low, high), kind, round);
        EXPECT_LT(s.low(), s.high());
        EXPECT_TRUE(std::isfinite(s.low()) && std::isfinite(s.high()));
        EXPECT_GE(s.At(low), -1e-9);
        EXPECT_LE(s.At(high), 1 + 1e-9);
        const size_t ticks = s.Ticks(7).size();
        EXPECT_GE(ticks, 1U) << low << " " << high;
        EXPECT_LE(ticks, 9U) << low << " " << high;
      }
    }
    EXPECT_LT(Scale::For(Range(), kind, true).low(), Scale::For(Range(), kind, true).high());
  }
  EXPECT_FALSE(IsDrawable(kNaN, false));
  EXPECT_FALSE(IsDrawable(1e301, false));
  EXPECT_FALSE(IsDrawable(0, true));
  EXPECT_TRUE(IsDrawable(0, false));
}

TEST(Escaped, LeavesNothingThatABrowserWouldRead) {
  EXPECT_EQ(Escaped("<b a=\"1\" c='2'>&"), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;");
  EXPECT_EQ(Escaped("é€😀"), "é€😀");
  EXPECT_EQ(Escaped(std::string_view("a\0b\n\xff"
                                     "c\xc0\x80",
                                     8)),
            "a b \xEF\xBF\xBD"
            "c\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(Escaped("\xed\xa0\x80").find('\xed'), std::string::npos) << "half a pair";
}

LineChart OneSeries(std::vector<double> y) {
  LineChart chart{.title = "t", .x_label = "step", .y_label = "loss"};
  Series s{.name = "run"};
  for (size_t i = 0; i < y.size(); ++i) s.x.push_back(static_cast<double>(i));
  s.y = std::move(y);
  s.stroke.thin = true;
  chart.series = {s};
  return chart;
}

// The data of the only curve; legend samples come before the picture.
std::string PathOf(const std::string& html) {
  const size_t picture = html.find("role=\"img\"");
  const size_t curve = html.find("<path class=\"line", picture);
  if (curve == std::string::npos) return "";
  const size_t begin = html.find("d=\"", curve) + 3;
  return html.substr(begin, html.find('"', begin) - begin);
}

TEST(LineChart, WhatIsNotFiniteIsAGap) {
  const std::string path = PathOf(ToHtml(OneSeries({1, 2, kNaN, 3, kNaN, 4, 5}), "a"));
  EXPECT_EQ(Count(path, "M"), 3U) << path;
  EXPECT_EQ(Count(path, "L"), 2U) << path;
  EXPECT_EQ(Count(path, "h0"), 1U) << "a point between gaps is a dot: " << path;
  EXPECT_EQ(Count(path, "nan"), 0U);
  EXPECT_THAT(ToHtml(OneSeries({1, kNaN, 2}), "a"), HasSubstr("gaps: 1 not finite"));
  LineChart zero = OneSeries({1, 0, 2});
  zero.logarithmic = true;
  EXPECT_EQ(Count(PathOf(ToHtml(zero, "a")), "M"), 2U);
  EXPECT_EQ(PathOf(ToHtml(OneSeries({kNaN}), "a")), "");
}

TEST(LineChart, PointsLieWhereTheyBelong) {
  LineChart chart = OneSeries({0, 1, 0.5});
  chart.y = Between(0, 1);
  EXPECT_THAT(PathOf(ToHtml(chart, "a")),
              ::testing::MatchesRegex("M31.9 222.0L248.0 26.0L464.0 124.0"));
}

TEST(LineChart, ThinningKeepsExtremesAndGaps) {
  std::vector<double> y(10'000, 1.0);
  y[3333] = 50;
  y[7777] = -50;
  y[5000] = kNaN;
  Series s{.name = "run", .y = y};
  for (size_t i = 0; i < y.size(); ++i) s.x.push_back(static_cast<double>(i));
  Thin(s, 100);
  EXPECT_LE(s.x.size(), 301U);
  EXPECT_EQ(std::count(s.y.begin(), s.y.end(), 50), 1);
  EXPECT_EQ(std::count(s.y.begin(), s.y.end(), -50), 1);
  EXPECT_EQ(std::count_if(s.y.begin(), s.y.end(), [](double v) { return std::isnan(v); }), 1);
  EXPECT_TRUE(std::is_sorted(s.x.begin(), s.x.end()));
  EXPECT_EQ(s.x.front(), 0);
}

TEST(Curves, AreasOfAKnownExample) {
  // scikit-learn's example: roc_auc_score 0.75, average_precision_score 0.8333.
  const BinaryScores s{{0.1, 0.4, 0.35, 0.8}, {false, false, true, true}};
  const Curve roc = Roc(s);
  EXPECT_DOUBLE_EQ(roc.area, 0.75);
  EXPECT_THAT(roc.x, ElementsAre(0, 0, 0.5, 0.5, 1));
  EXPECT_THAT(roc.y, ElementsAre(0, 0.5, 0.5, 1, 1));
  const Curve pr = PrecisionRecall(s);
  EXPECT_NEAR(pr.area, 0.5 * 1 + 0.5 * 2 / 3, 1e-12);
  EXPECT_EQ(pr.x.back(), 1);
  EXPECT_EQ(pr.y.back(), 0.5);
  // Ties are half right.
  EXPECT_DOUBLE_EQ(Roc({{0.5, 0.5, 0.5}, {false, true, true}}).area, 0.5);
  EXPECT_TRUE(std::isnan(Roc({{0.5, 0.7}, {true, true}}).area));
  EXPECT_TRUE(PrecisionRecall({{}, {}}).x.empty());
}

TEST(Curves, AgreeWithTheMetric) {
  BinaryScores s;
  std::vector<float> labels, scores;
  uint32_t state = 7;
  for (int i = 0; i < 500; ++i) {
    state = state * 1664525U + 1013904223U;
    labels.push_back(static_cast<float>(state >> 31));
    scores.push_back(static_cast<float>((state >> 20) % 50) / 50 + 0.1F * labels.back());
    s.positive.push_back(labels.back() > 0);
    s.scores.push_back(static_cast<double>(scores.back()));
  }
  const auto metric = RocAuc(labels, scores);
  ASSERT_TRUE(metric.ok()) << metric.status();
  EXPECT_NEAR(Roc(s).area, *metric, 1e-12);
  Curve thin = Roc(s);
  const size_t points = thin.x.size();
  Thin(thin, 0.1);
  EXPECT_LT(thin.x.size(), points / 2);
  EXPECT_EQ(thin.x.back(), 1);
  EXPECT_EQ(thin.y.back(), 1);
}

TEST(Curves, ClassesOfARecord) {
  ScoreRecord r{.part = "test", .classes = 3, .labels = {0, 2, 1}};
  r.scores = {0.6, 0.3, 0.1, 0.1, 0.2, 0.7, 0.5, kNaN, 0.2};
  EXPECT_TRUE(IsValid(r));
  EXPECT_EQ(Answer(r, 0), 0);
  EXPECT_EQ(Answer(r, 1), 2);
  EXPECT_EQ(Answer(r, 2), -1);
  EXPECT_EQ(OneAgainstRest(r, 1).scores.size(), 2U);
  EXPECT_EQ(OneAgainstRest(r, 2).positives(), 1);
  r.labels[0] = 3;
  EXPECT_FALSE(IsValid(r)) << "no such class";
  r.labels[0] = 0.5;
  EXPECT_FALSE(IsValid(r));
  r = {.classes = int64_t{1} << 40};
  EXPECT_FALSE(IsValid(r)) << "no samples";
}

History Sample(const std::string& model) {
  History h;
  h.model = model;
  h.metric_names = {"accuracy"};
  for (int e = 1; e <= 3; ++e) {
    h.epochs.push_back({.epoch = e,
                        .training = {0.9 / e, {0.5 + 0.1 * e}},
                        .validation = Evaluation{1.0 / e, {0.4 + 0.1 * e}},
                        .seconds = 0.5,
                        .steps = 2,
                        .learning_rate = 1e-3});
  }
  StepRecords& s = h.steps;
  for (int i = 1; i <= 6; ++i) {
    s.step.push_back(i);
    s.milliseconds.push_back(0.25);
    s.loss.push_back(i == 3 ? kNaN : 1.0 / i);
    s.learning_rate.push_back(1e-3);
  }
  for (const char* name : {"hidden.kernel", "hidden.bias", "out.kernel"}) {
    s.norms.push_back({name, std::vector<double>(6, 3e-4), std::vector<double>(6, 2.0)});
  }
  h.scores = {{"test", "p", 1, {0, 1, 1, 0}, {0.1, 0.9, 0.4, 0.2}}};
  h.layers = {{"hidden", "dense", "[B, 8]", 32, ""}, {"out", "dense", "[B, 1]", 9, ""}};
  h.parameters = 41;
  h.compile_ms = 12.5;
  return h;
}

TEST(Report, ShowsEverythingThatAHistoryHolds) {
  const History h = Sample("theft");
  const std::string html = ReportHtml(std::span(&h, 1));
  for (const char* title :
       {"loss", "accuracy", "ROC: test", "precision and recall: test", "confusion: test",
        "scores: test", "gradient norm of each layer", "weight norm of each layer",
        "gradient norm by depth, at the first step", "loss of each batch", "learning rate",
        "time per step"}) {
    EXPECT_THAT(html, HasSubstr(fmt::format("<figcaption>{}</figcaption>", title)));
  }
  EXPECT_THAT(html, AllOf(HasSubstr("12.5 ms"), HasSubstr("0.3333 (epoch 3)"),
                          HasSubstr("<th scope=\"row\">hidden</th><td>dense</td><td>[B, 8]</td>"),
                          HasSubstr("area 1.0000"), HasSubstr("accuracy 0.75, of class 1")));
  // Kernel and bias of a layer are one vector: sqrt(2) * 3e-4.
  EXPECT_THAT(html, HasSubstr("<td>0.0004243</td>"));
  EXPECT_EQ(html, ReportHtml(std::span(&h, 1))) << "not the same bytes";
}

TEST(Report, ComparesHistories) {
  const std::vector<History> all = {Sample("rnn"), Sample("rnn"), Sample("")};
  const std::string html = ReportHtml(all);
  EXPECT_THAT(html, AllOf(HasSubstr("3 trainings compared"), HasSubstr("<b>rnn</b>"),
                          HasSubstr("<b>rnn (2)</b>"), HasSubstr("<b>training</b>")));
  const std::vector<std::string> names = {"first", "second", "third"};
  EXPECT_THAT(ReportHtml(all, names), AllOf(HasSubstr("<b>second</b>"), Not(HasSubstr("<b>rnn"))));
}

TEST(Report, NamesAreTextAndNothingIsFetched) {
  History h = Sample("<script src=\"http://x\">");
  h.metric_names = {"<img src=x onerror=y>"};
  h.steps.norms[0].name = "\"><svg onload=z>.kernel";
  h.layers[0].layer = "url(http://y)<b>";
  h.scores[0].part = "<style>";
  const std::string html = ReportHtml(std::span(&h, 1));
  for (const char* tag :
       {"<script", "<img", "<svg onload", "<style>\n<", "<b>&quot;&gt;<", "@import"}) {
    EXPECT_THAT(html, Not(HasSubstr(tag)));
  }
  EXPECT_EQ(Count(html, "<style>"), 1U);
  const History plain = Sample("theft");
  const std::string plain_html = ReportHtml(std::span(&plain, 1));
  for (const char* reach : {"http:", "https:", "src=", "url(", "@import", "<script"}) {
    EXPECT_THAT(plain_html, Not(HasSubstr(reach)));
  }
}

TEST(Report, BearsHistoriesWithHolesInThem) {
  const History empty;
  EXPECT_THAT(ReportHtml(std::span(&empty, 1)), HasSubstr("</html>"));
  EXPECT_THAT(ReportHtml({}), HasSubstr("</html>"));
  History h = Sample("m");
  h.epochs[0].validation.reset();
  h.epochs[1].training.loss = std::numeric_limits<double>::infinity();
  h.epochs[2].training.metrics.clear();
  h.scores.push_back({"test", "p", 1, {7}, {0.5}});
  h.scores.push_back({"test", "p", 3, {0, 1}, {kNaN, 1, 2, 0.1, 0.2, 0.7}});
  h.scores.push_back({"test", "q", 1, {1, 1}, {0.5, 0.6}});  // one class alone
  const std::string html = ReportHtml(std::span(&h, 1));
  EXPECT_THAT(html, HasSubstr("labels are not class numbers"));
  EXPECT_THAT(html, AllOf(Not(HasSubstr("nan ")), Not(HasSubstr("inf ")), Not(HasSubstr("-nan"))));
}

TEST(Report, BearsStepsInAnyOrder) {
  History h;
  h.model = "m";
  for (int i = 0; i < 2000; ++i) {
    h.steps.step.push_back(i % 3 == 0 ? INT64_MAX : i % 3 == 1 ? INT64_MIN : -i);
    h.steps.loss.push_back(i % 2 == 0 ? 1e308 : -1e308);
  }
  h.steps.step.front() = 1;
  h.steps.step.back() = 2;
  h.steps.milliseconds = h.steps.learning_rate = h.steps.loss;
  h.steps.norms = {{"", h.steps.loss, h.steps.loss}};
  EXPECT_THAT(ReportHtml(std::span(&h, 1)), HasSubstr("</html>"));
}

TEST(Report, ManyClassesAreAListOfMistakes) {
  History h;
  h.scores.push_back({.part = "test", .output = "p", .classes = 30});
  for (int i = 0; i < 60; ++i) {
    h.scores[0].labels.push_back(i % 30);
    for (int c = 0; c < 30; ++c) h.scores[0].scores.push_back(c == (i % 30 == 5 ? 6 : i % 30));
  }
  const std::string html = ReportHtml(std::span(&h, 1));
  EXPECT_THAT(html, HasSubstr("most frequent mistakes: test"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">5</th><td>6</td><td>2</td>"));
  EXPECT_THAT(html, Not(HasSubstr("confusion:")));
}

TEST(Report, IsWrittenAsAWhole) {
  const std::string path = ::testing::TempDir() + "/gradus_report.html";
  const History h = Sample("theft");
  ASSERT_TRUE(h.WriteReport(path).ok());
  const auto back = runtime::ReadFile(path);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, ReportHtml(std::span(&h, 1)));
  EXPECT_FALSE(h.WriteReport(path + "/no/such/folder.html").ok());
}

}  // namespace
}  // namespace gradus::report
