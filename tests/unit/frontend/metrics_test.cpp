#include "frontend/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "frontend/compile.h"

namespace gradus {
namespace {

using testing::HasSubstr;

double Auc(std::vector<float> labels, std::vector<float> scores) {
  const auto auc = RocAuc(labels, scores);
  EXPECT_TRUE(auc.ok()) << auc.status();
  return auc.value_or(-1);
}

TEST(RocAuc, CountsOrderedPairs) {
  EXPECT_EQ(Auc({0, 0, 1, 1}, {0.1F, 0.2F, 0.3F, 0.4F}), 1);
  EXPECT_EQ(Auc({1, 1, 0, 0}, {0.1F, 0.2F, 0.3F, 0.4F}), 0);
  EXPECT_EQ(Auc({0, 0, 1, 1}, {0.1F, 0.4F, 0.35F, 0.8F}), 0.75);  // scikit-learn's example
  EXPECT_EQ(Auc({0, 1}, {-INFINITY, INFINITY}), 1);
}

TEST(RocAuc, TiesCountHalf) {
  EXPECT_EQ(Auc({0, 1, 0, 1, 1}, {3, 3, 3, 3, 3}), 0.5);
  // Of six pairs: 0.5 is above two of the negatives and ties with one, 0.9 is above all three.
  EXPECT_DOUBLE_EQ(Auc({0, 0, 0, 1, 1}, {0.1F, 0.2F, 0.5F, 0.5F, 0.9F}), 5.5 / 6);
}

TEST(RocAuc, EqualsTheCountOverAllPairs) {
  std::vector<float> labels, scores;
  for (int i = 0; i < 97; ++i) {
    labels.push_back(i % 3 == 0 ? 1.0F : 0.0F);
    scores.push_back(static_cast<float>((i * 37) % 23));
  }
  double won = 0, pairs = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    for (size_t k = 0; k < labels.size(); ++k) {
      if (labels[i] < 0.5F || labels[k] > 0.5F) continue;
      pairs += 1;
      won += scores[i] > scores[k] ? 1 : scores[i] == scores[k] ? 0.5 : 0;
    }
  }
  EXPECT_DOUBLE_EQ(Auc(labels, scores), won / pairs);
}

TEST(RocAuc, SaysWhatIsMissing) {
  const std::vector<float> one = {1}, two = {0, 1}, same = {1, 1}, nan = {0.5F, NAN};
  EXPECT_THAT(std::string(RocAuc(one, two).status().message()), HasSubstr("1 labels and 2 scores"));
  EXPECT_THAT(std::string(RocAuc(same, two).status().message()), HasSubstr("both classes"));
  EXPECT_THAT(std::string(RocAuc(two, nan).status().message()),
              HasSubstr("score 1 is not a number"));
  EXPECT_FALSE(RocAuc({}, {}).ok());
}

// --- metrics of the compiled step: added over uneven batches they are those of all samples at
// once, and those are what a loop in double says.

struct Data {
  int64_t rows = 0, columns = 1;
  std::vector<double> target;  // class numbers, [rows], for sparse losses; else [rows, columns]
  std::vector<double> prediction, weight;
};

// Something like scores, with ties; both classes.
Data MakeData(int64_t rows, int64_t columns, bool sparse) {
  Data d{rows, columns, {}, {}, {}};
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t k = (r * 37 + c * 11) % 53;
      d.prediction.push_back(static_cast<double>(k % 7 == 0 && k < 39 ? k + 14 : k) / 53);
      if (!sparse) d.target.push_back((r * 5 + c + k / 20) % columns == (columns > 1 ? c : 0));
    }
    if (sparse) d.target.push_back(static_cast<double>((r * 5 + r / 3) % columns));
    if (columns == 1) d.target[static_cast<size_t>(r)] = (r * 29 % 53) > 25 ? 1 : 0;
    d.weight.push_back(0.5 + static_cast<double>(r % 4));
  }
  return d;
}

constexpr DType kDType = DType::kF64;

class Evaluator {
 public:
  Evaluator(const Metric& metric, const Loss& loss, int64_t columns, bool weighted)
      : metric_(metric), sparse_(loss.sparse()), columns_(columns) {
    Graph g("metric", kDType);
    const Shape shape = {kBatch, columns};
    const Tensor p = g.Input("p", shape);
    const Tensor t = sparse_ ? g.Input("t", {kBatch}, DType::kI64) : g.Input("t", shape);
    const Tensor w = g.Input("w", {kBatch});
    for (const MetricSum& s : metric.update({t, p, weighted ? w : Tensor(), loss}, metric.number)) {
      g.Output(std::string(s.name), s.value);
    }
    auto f = Compile(g, {.cache_dir = ""});
    EXPECT_TRUE(f.ok()) << f.status();
    if (f.ok()) executable_.emplace(*std::move(f));
  }

  // Adds rows [begin, end).
  void Add(const Data& d, int64_t begin, int64_t end) {
    ASSERT_TRUE(executable_.has_value());
    const int64_t n = end - begin;
    const auto rows = [&](const std::vector<double>& v, int64_t width) {
      return std::vector<double>(v.begin() + begin * width, v.begin() + end * width);
    };
    std::vector<runtime::Tensor> in;
    in.push_back(
        runtime::Tensor::FromVector<double>({n, columns_}, rows(d.prediction, columns_)).value());
    if (sparse_) {
      const std::vector<double> t = rows(d.target, 1);
      in.push_back(runtime::Tensor::FromVector<int64_t>({n}, {t.begin(), t.end()}).value());
    } else {
      in.push_back(
          runtime::Tensor::FromVector<double>({n, columns_}, rows(d.target, columns_)).value());
    }
    in.push_back(runtime::Tensor::FromVector<double>({n}, rows(d.weight, 1)).value());
    const auto out = executable_->Run(std::move(in));
    ASSERT_TRUE(out.ok()) << out.status();
    size_t at = 0;
    for (const runtime::Tensor& t : *out) {
      for (const double x : t.data<double>()) {
        if (at == sums_.size()) sums_.push_back(0);
        sums_[at++] += x;
      }
    }
  }

  double value() const { return metric_.result(sums_); }
  const std::vector<double>& sums() const { return sums_; }
  void Clear() { sums_.clear(); }

 private:
  Metric metric_;
  bool sparse_;
  int64_t columns_;
  std::optional<runtime::Executable> executable_;
  std::vector<double> sums_;
};

// Weights of 1 unless `weighted`.
using Reference = double (*)(const Data& d, const std::vector<double>& w);

void ExpectMetric(const Metric& metric, const Loss& loss, int64_t columns, Reference reference,
                  double tolerance = 1e-12) {
  const int64_t rows = 61;
  const Data d = MakeData(rows, columns, loss.sparse());
  for (const bool weighted : {false, true}) {
    SCOPED_TRACE(metric.full_name() + (weighted ? ", weighted" : ""));
    Evaluator e(metric, loss, columns, weighted);
    e.Add(d, 0, rows);
    const double whole = e.value();
    const std::vector<double> ones(d.weight.size(), 1);
    EXPECT_NEAR(whole, reference(d, weighted ? d.weight : ones), tolerance);
    e.Clear();
    e.Add(d, 0, 32);
    e.Add(d, 32, 60);
    e.Add(d, 60, rows);
    EXPECT_NEAR(e.value(), whole, 1e-12);
  }
}

size_t Argmax(const double* x, size_t n) {
  return static_cast<size_t>(std::max_element(x, x + n) - x);
}

// The weighted share of elements or rows for which `hit` holds.
template <typename Hit>
double Share(const Data& d, const std::vector<double>& w, size_t per_row, Hit hit) {
  double hits = 0, all = 0;
  for (size_t r = 0; r < w.size(); ++r) {
    for (size_t c = 0; c < per_row; ++c) {
      all += w[r];
      if (hit(d, r, r * static_cast<size_t>(d.columns) + c)) hits += w[r];
    }
  }
  return hits / all;
}

TEST(Metrics, BinaryAccuracyCountsElements) {
  const Reference reference = [](const Data& d, const std::vector<double>& w) {
    return Share(d, w, static_cast<size_t>(d.columns), [](const Data& x, size_t, size_t i) {
      return (x.target[i] > 0.5) == (x.prediction[i] > 0.5);
    });
  };
  ExpectMetric(accuracy, binary_crossentropy, 1, reference);
  ExpectMetric(accuracy, mean_squared_error, 1, reference);
  ExpectMetric(binary_accuracy, binary_crossentropy, 3, reference);
}

TEST(Metrics, LogitsDecideAtTheirOwnThreshold) {
  ExpectMetric(accuracy, binary_crossentropy_from_logits, 1,
               [](const Data& d, const std::vector<double>& w) {
                 return Share(d, w, 1, [](const Data& x, size_t, size_t i) {
                   return (x.target[i] > 0.5) == (x.prediction[i] > 0);
                 });
               });
  ExpectMetric(RecallAt(0.6), binary_crossentropy_from_logits, 1,
               [](const Data& d, const std::vector<double>& w) {
                 double tp = 0, all = 0;
                 for (size_t i = 0; i < w.size(); ++i) {
                   if (d.target[i] > 0.5) all += w[i];
                   if (d.target[i] > 0.5 && d.prediction[i] > std::log(1.5)) tp += w[i];
                 }
                 return tp / all;
               });
}

TEST(Metrics, CategoricalAndSparseAccuracyCompareTheLargest) {
  const Reference categorical = [](const Data& d, const std::vector<double>& w) {
    return Share(d, w, 1, [](const Data& x, size_t, size_t i) {
      return Argmax(&x.target[i], 5) == Argmax(&x.prediction[i], 5);
    });
  };
  ExpectMetric(accuracy, categorical_crossentropy, 5, categorical);
  ExpectMetric(categorical_accuracy, mean_squared_error, 5, categorical);
  const Reference sparse = [](const Data& d, const std::vector<double>& w) {
    return Share(d, w, 1, [](const Data& x, size_t r, size_t i) {
      return x.target[r] == static_cast<double>(Argmax(&x.prediction[i], 5));
    });
  };
  ExpectMetric(accuracy, sparse_categorical_crossentropy, 5, sparse);
  ExpectMetric(sparse_categorical_accuracy, sparse_categorical_crossentropy, 5, sparse);
}

TEST(Metrics, TopKCountsTargetsWithFewAbove) {
  ExpectMetric(TopKAccuracy(2), sparse_categorical_crossentropy, 5,
               [](const Data& d, const std::vector<double>& w) {
                 return Share(d, w, 1, [](const Data& x, size_t r, size_t i) {
                   const double own = x.prediction[i + static_cast<size_t>(x.target[r])];
                   return std::count_if(&x.prediction[i], &x.prediction[i] + 5,
                                        [&](double p) { return p > own; }) < 2;
                 });
               });
  EXPECT_EQ(TopKAccuracy(3).full_name(), "top_3_accuracy");
  EXPECT_EQ(PrecisionAt(0.25).full_name(), "precision_at_0_25");
}

struct Counts {
  double tp = 0, fp = 0, fn = 0;
};
Counts CountOutcomes(const Data& d, const std::vector<double>& w, double threshold) {
  Counts c;
  for (size_t i = 0; i < d.prediction.size(); ++i) {
    const double weight = w[i / static_cast<size_t>(d.columns)];
    const bool truth = d.target[i] > 0.5, positive = d.prediction[i] > threshold;
    (truth ? (positive ? c.tp : c.fn) : c.fp) += truth || positive ? weight : 0;
  }
  return c;
}

TEST(Metrics, PrecisionRecallAndF1AreRatiosOfTotals) {
  ExpectMetric(precision, binary_crossentropy, 1, [](const Data& d, const std::vector<double>& w) {
    const Counts c = CountOutcomes(d, w, 0.5);
    return c.tp / (c.tp + c.fp);
  });
  ExpectMetric(recall, binary_crossentropy, 3, [](const Data& d, const std::vector<double>& w) {
    const Counts c = CountOutcomes(d, w, 0.5);
    return c.tp / (c.tp + c.fn);
  });
  ExpectMetric(F1At(0.3), binary_crossentropy, 1, [](const Data& d, const std::vector<double>& w) {
    const Counts c = CountOutcomes(d, w, 0.3);
    const double p = c.tp / (c.tp + c.fp), r = c.tp / (c.tp + c.fn);
    return 2 * p * r / (p + r);
  });
  EXPECT_EQ(precision.result(std::vector<double>{0, 0, 4}), 0);  // nothing was called positive
}

TEST(Metrics, ErrorsOfNumbers) {
  ExpectMetric(mae, mean_squared_error, 3, [](const Data& d, const std::vector<double>& w) {
    double sum = 0, all = 0;
    for (size_t i = 0; i < d.target.size(); ++i) {
      sum += w[i / 3] * std::fabs(d.target[i] - d.prediction[i]);
      all += w[i / 3];
    }
    return sum / all;
  });
  ExpectMetric(mse, mean_squared_error, 1, [](const Data& d, const std::vector<double>& w) {
    double sum = 0, all = 0;
    for (size_t i = 0; i < d.target.size(); ++i) {
      sum += w[i] * std::pow(d.target[i] - d.prediction[i], 2);
      all += w[i];
    }
    return sum / all;
  });
}

TEST(Metrics, RSquaredIsTheMeanOverColumns) {
  ExpectMetric(r2, mean_squared_error, 3, [](const Data& d, const std::vector<double>& w) {
    double result = 0;
    for (size_t c = 0; c < 3; ++c) {
      double mean = 0, all = 0, errors = 0, spread = 0;
      for (size_t r = 0; r < w.size(); ++r) {
        mean += w[r] * d.target[r * 3 + c];
        all += w[r];
      }
      mean /= all;
      for (size_t r = 0; r < w.size(); ++r) {
        errors += w[r] * std::pow(d.target[r * 3 + c] - d.prediction[r * 3 + c], 2);
        spread += w[r] * std::pow(d.target[r * 3 + c] - mean, 2);
      }
      result += (1 - errors / spread) / 3;
    }
    return result;
  });
}

TEST(Metrics, AucIsExactWhereThresholdsTellScoresApart) {
  // Scores are multiples of 1/53, further apart than two thresholds.
  ExpectMetric(auc, binary_crossentropy, 1, [](const Data& d, const std::vector<double>& w) {
    double won = 0, pairs = 0;
    for (size_t i = 0; i < w.size(); ++i) {
      for (size_t k = 0; k < w.size(); ++k) {
        if (d.target[i] < 0.5 || d.target[k] > 0.5) continue;
        const double p = d.prediction[i], q = d.prediction[k];
        pairs += w[i] * w[k];
        won += w[i] * w[k] * (p > q ? 1 : p == q ? 0.5 : 0);
      }
    }
    return won / pairs;
  });
}

// scikit-learn's example of four scores: the steps between them integrated by hand. From recall 0
// to 1/2 precision is 1; then one false positive comes alone, and from 1/2 to 1 precision is that
// of 1 + x true of 2 + x for x in [0, 1].
TEST(Metrics, PrecisionRecallAreaInterpolatesCounts) {
  Evaluator e(pr_auc, binary_crossentropy, 1, false);
  e.Add({4, 1, {0, 0, 1, 1}, {0.1, 0.4, 0.35, 0.8}, {1, 1, 1, 1}}, 0, 4);
  EXPECT_NEAR(e.value(), 0.5 + 0.5 * (1 - std::log(1.5)), 1e-12);
  const MetricTable table = pr_auc.table(e.sums());
  EXPECT_EQ(table.rows(), 200);
  EXPECT_EQ(table.values[1], 1);  // at the first threshold everything is positive
  EXPECT_EQ(table.values[2], 1);
  EXPECT_EQ(table.values[3], 0.5);
}

TEST(Metrics, ConfusionMatrixHasTruthInRows) {
  const auto trace = [](const Data& d, const std::vector<double>& w) {
    return Share(d, w, 1, [](const Data& x, size_t r, size_t i) {
      return x.target[r] == static_cast<double>(Argmax(&x.prediction[i], 5));
    });
  };
  ExpectMetric(ConfusionMatrix(5), sparse_categorical_crossentropy, 5, trace);
  Evaluator e(ConfusionMatrix(2), binary_crossentropy, 1, false);
  e.Add({5, 1, {0, 0, 0, 1, 1}, {0.1, 0.7, 0.2, 0.9, 0.3}, {1, 1, 1, 1, 1}}, 0, 5);
  const MetricTable table = ConfusionMatrix(2).table(e.sums());
  EXPECT_THAT(table.values, testing::ElementsAre(2, 1, 1, 1));
  EXPECT_THAT(table.columns, testing::ElementsAre("0", "1"));
  EXPECT_EQ(e.value(), 0.6);
}

// Sequences [B, T, classes] count step by step, each with its sample's weight: as the same steps
// would one by one.
TEST(Metrics, OfSequencesCountEachStep) {
  constexpr int64_t kSamples = 5, kSteps = 3, kClasses = 4;
  const Data steps = MakeData(kSamples * kSteps, kClasses, true);
  std::vector<double> sample_weight;
  Data repeated = steps;
  for (int64_t b = 0; b < kSamples; ++b) {
    sample_weight.push_back(0.5 + static_cast<double>(b));
    for (int64_t t = 0; t < kSteps; ++t) {
      repeated.weight[static_cast<size_t>(b * kSteps + t)] = sample_weight.back();
    }
  }
  const Loss loss = sparse_categorical_crossentropy;
  for (const Metric& metric : {accuracy, TopKAccuracy(2), ConfusionMatrix(kClasses)}) {
    SCOPED_TRACE(metric.full_name());
    Evaluator flat(metric, loss, kClasses, true);
    flat.Add(repeated, 0, kSamples * kSteps);
    Graph g("sequences", kDType);
    const Tensor p = g.Input("p", {kBatch, kTime, kClasses});
    const Tensor t = g.Input("t", {kBatch, kTime}, DType::kI64);
    const Tensor w = g.Input("w", {kBatch});
    for (const MetricSum& s : metric.update({t, p, w, loss}, metric.number)) {
      g.Output(std::string(s.name), s.value);
    }
    auto f = Compile(g, {.cache_dir = ""});
    ASSERT_TRUE(f.ok()) << f.status();
    std::vector<runtime::Tensor> in;
    in.push_back(runtime::Tensor::FromVector<double>({kSamples, kSteps, kClasses}, steps.prediction)
                     .value());
    in.push_back(runtime::Tensor::FromVector<int64_t>({kSamples, kSteps},
                                                      {steps.target.begin(), steps.target.end()})
                     .value());
    in.push_back(runtime::Tensor::FromVector<double>({kSamples}, sample_weight).value());
    const auto out = f->Run(std::move(in));
    ASSERT_TRUE(out.ok()) << out.status();
    std::vector<double> sums;
    for (const runtime::Tensor& s : *out) {
      sums.insert(sums.end(), s.data<double>().begin(), s.data<double>().end());
    }
    EXPECT_THAT(sums, testing::Pointwise(testing::DoubleNear(1e-12), flat.sums()));
  }
}

}  // namespace
}  // namespace gradus
