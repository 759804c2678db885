// Losses with their options against formulas in double, and their gradients against differences.

#include "frontend/losses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "frontend/compile.h"

namespace gradus {
namespace {

using testing::HasSubstr;

constexpr int kRows = 7, kClasses = 4;

struct Batch {
  std::vector<double> target, prediction, weight;  // [rows] or [rows, columns]; [..]; [rows]
  int columns = 1;
};

double At(const std::vector<double>& v, int row, int columns, int column) {
  return v[static_cast<size_t>(row * columns + column)];
}

// Predictions are probabilities away from 0 and 1, rows of classes sum to 1.
Batch MakeBatch(TargetKind kind, int columns) {
  Batch b{{}, {}, {}, columns};
  for (int r = 0; r < kRows; ++r) {
    double sum = 0;
    const int chosen = (r * 5 + 1) % columns;
    for (int c = 0; c < columns; ++c) {
      const double p = 0.1 + 0.8 * ((r * 13 + c * 7) % 17) / 17.0;
      b.prediction.push_back(p);
      sum += p;
      if (kind == TargetKind::kCategorical) b.target.push_back(c == chosen ? 1 : 0);
      if (kind == TargetKind::kBinary) b.target.push_back((r + c) % 3 == 0 ? 1 : 0);
      if (kind == TargetKind::kNumbers) b.target.push_back(p + 0.3 * ((r + c) % 5 - 2));
    }
    if (kind == TargetKind::kSparse) b.target.push_back(chosen);
    if (columns > 1 && kind != TargetKind::kNumbers) {
      for (int c = 0; c < columns; ++c) {
        b.prediction[static_cast<size_t>(r * columns + c)] /= sum;
      }
    }
    b.weight.push_back(0.25 + r % 3);
  }
  return b;
}

struct Computed {
  double loss = 0;
  std::vector<double> gradient;
};

class Compiled {
 public:
  Compiled(const Loss& loss, const Batch& b, bool weighted) : batch_(b) {
    sparse_ = loss.sparse();
    Graph g("loss", DType::kF64);
    const Shape shape = {kBatch, b.columns};
    const Tensor p = g.Input("p", shape);
    const Tensor t = sparse_ ? g.Input("t", {kBatch}, DType::kI64) : g.Input("t", shape);
    const Tensor w = g.Input("w", {kBatch});
    const Tensor value = loss(t, p, weighted ? w : Tensor());
    g.Output("loss", value);
    g.Output("gradient", Grad(value, {p})[0]);
    auto f = Compile(g, {.cache_dir = ""});
    EXPECT_TRUE(f.ok()) << f.status();
    if (f.ok()) executable_.emplace(*std::move(f));
  }

  Computed Run(const std::vector<double>& prediction) {
    std::vector<runtime::Tensor> in;
    in.push_back(runtime::Tensor::FromVector<double>({kRows, batch_.columns}, prediction).value());
    if (sparse_) {
      in.push_back(runtime::Tensor::FromVector<int64_t>(
                       {kRows}, {batch_.target.begin(), batch_.target.end()})
                       .value());
    } else {
      in.push_back(
          runtime::Tensor::FromVector<double>({kRows, batch_.columns}, batch_.target).value());
    }
    in.push_back(runtime::Tensor::FromVector<double>({kRows}, batch_.weight).value());
    const auto out = executable_->Run(std::move(in));
    EXPECT_TRUE(out.ok()) << out.status();
    const auto gradient = (*out)[1].data<double>();
    return {(*out)[0].data<double>()[0], {gradient.begin(), gradient.end()}};
  }

 private:
  Batch batch_;
  bool sparse_ = false;
  std::optional<runtime::Executable> executable_;
};

// The sum over terms of weight * term over the number of terms. `term` gives one element's, or,
// where classes are summed, one row's.
using Term = std::function<double(const Batch&, int row, int column)>;

void ExpectLoss(const Loss& loss, int columns, bool of_rows, const Term& term,
                const std::function<double(const Batch&, int row, int column)>& class_weight = {}) {
  const Batch b = MakeBatch(loss.target_kind(), columns);
  for (const bool weighted : {false, true}) {
    SCOPED_TRACE(loss.name() + (weighted ? ", weighted" : ""));
    Compiled compiled(loss, b, weighted);
    double sum = 0;
    int terms = 0;
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < (of_rows ? 1 : columns); ++c) {
        const double weight = (weighted ? b.weight[static_cast<size_t>(r)] : 1) *
                              (class_weight ? class_weight(b, r, c) : 1);
        sum += weight * term(b, r, c);
        ++terms;
      }
    }
    const Computed got = compiled.Run(b.prediction);
    EXPECT_NEAR(got.loss, sum / terms, 1e-13);
    for (size_t i = 0; i < b.prediction.size(); ++i) {
      const double h = 1e-6;
      std::vector<double> up = b.prediction, down = b.prediction;
      up[i] += h;
      down[i] -= h;
      const double slope = (compiled.Run(up).loss - compiled.Run(down).loss) / (2 * h);
      EXPECT_NEAR(got.gradient[i], slope, 1e-8) << "element " << i;
    }
  }
}

double Smooth(double t, double amount, int classes) { return t * (1 - amount) + amount / classes; }

double BinaryTerm(double t, double p) { return -t * std::log(p) - (1 - t) * std::log1p(-p); }

TEST(Losses, OfNumbersWithSampleWeights) {
  const auto difference = [](const Batch& b, int r, int c) {
    return At(b.prediction, r, b.columns, c) - At(b.target, r, b.columns, c);
  };
  ExpectLoss(mean_squared_error, 3, false,
             [&](const Batch& b, int r, int c) { return std::pow(difference(b, r, c), 2); });
  ExpectLoss(log_cosh, 3, false, [&](const Batch& b, int r, int c) {
    return std::log(std::cosh(difference(b, r, c)));
  });
  ExpectLoss(Loss(huber, 0.4), 1, false, [&](const Batch& b, int r, int c) {
    const double d = std::fabs(difference(b, r, c));
    return d <= 0.4 ? d * d / 2 : 0.4 * (d - 0.2);
  });
  ExpectLoss(poisson, 2, false, [&](const Batch& b, int r, int c) {
    const double p = At(b.prediction, r, b.columns, c);
    return p - At(b.target, r, b.columns, c) * std::log(p + 1e-7);
  });
}

TEST(Losses, BinaryWithSmoothingAndClassWeights) {
  const auto weights = [](const Batch& b, int r, int c) {
    return At(b.target, r, b.columns, c) > 0.5 ? 3.0 : 0.5;
  };
  for (const int columns : {1, 3}) {
    ExpectLoss(
        Loss(binary_crossentropy).WithLabelSmoothing(0.2).WithClassWeights({0.5, 3}), columns,
        false,
        [](const Batch& b, int r, int c) {
          return BinaryTerm(Smooth(At(b.target, r, b.columns, c), 0.2, 2),
                            At(b.prediction, r, b.columns, c));
        },
        weights);
  }
  ExpectLoss(Loss(binary_crossentropy_from_logits).WithLabelSmoothing(0.2), 1, false,
             [](const Batch& b, int r, int c) {
               const double x = At(b.prediction, r, 1, c);
               return BinaryTerm(Smooth(At(b.target, r, 1, c), 0.2, 2), 1 / (1 + std::exp(-x)));
             });
}

// -sum over classes of t log p, with softmax first where predictions are logits.
double Cross(const Batch& b, int row, const std::vector<double>& target, bool logits) {
  double sum = 0, all = 1;
  if (logits) {
    all = 0;
    for (int c = 0; c < kClasses; ++c) all += std::exp(At(b.prediction, row, kClasses, c));
  }
  for (int c = 0; c < kClasses; ++c) {
    const double x = At(b.prediction, row, kClasses, c);
    sum -= target[static_cast<size_t>(c)] * (logits ? x - std::log(all) : std::log(x));
  }
  return sum;
}

TEST(Losses, CategoricalAndSparseAgreeWithEveryOption) {
  const std::vector<double> class_weights = {1, 0.5, 4, 2};
  for (const bool logits : {false, true}) {
    for (const bool sparse : {false, true}) {
      for (const double amount : {0.0, 0.1}) {
        const auto chosen = [=](const Batch& b, int r) {
          if (sparse) return static_cast<int>(b.target[static_cast<size_t>(r)]);
          const double* row = &b.target[static_cast<size_t>(r * kClasses)];
          return static_cast<int>(std::max_element(row, row + kClasses) - row);
        };
        const Loss plain = sparse ? (logits ? Loss(sparse_categorical_crossentropy_from_logits)
                                            : Loss(sparse_categorical_crossentropy))
                                  : (logits ? Loss(categorical_crossentropy_from_logits)
                                            : Loss(categorical_crossentropy));
        ExpectLoss(
            plain.WithLabelSmoothing(amount).WithClassWeights(class_weights), kClasses, true,
            [=](const Batch& b, int r, int) {
              std::vector<double> target;
              for (int c = 0; c < kClasses; ++c) {
                target.push_back(Smooth(c == chosen(b, r) ? 1 : 0, amount, kClasses));
              }
              return Cross(b, r, target, logits);
            },
            [=](const Batch& b, int r, int) {
              return class_weights[static_cast<size_t>(chosen(b, r))];
            });
      }
    }
  }
}

TEST(Losses, OnesOwnTermsAreWeighted) {
  const Loss pinball = Loss::Each("pinball", [](Operand t, Operand y) {
    const Tensor d = t - y;
    return maximum(d * 0.9, d * -0.1);
  });
  EXPECT_EQ(pinball.name(), "pinball");
  ExpectLoss(pinball, 1, false, [](const Batch& b, int r, int) {
    const double d = b.target[static_cast<size_t>(r)] - b.prediction[static_cast<size_t>(r)];
    return std::max(0.9 * d, -0.1 * d);
  });
}

TEST(Losses, OptionsThatDoNotFitAreRefused) {
  const Loss::Function of_scalar = [](Operand t, Operand y) { return reduce_mean(abs(t - y)); };
  const Loss scalar = of_scalar;
  EXPECT_TRUE(scalar.Check(false).ok());
  EXPECT_THAT(std::string(scalar.Check(true).message()), HasSubstr("Loss::Each"));
  EXPECT_THAT(std::string(scalar.WithClassWeights({1, 2}).Check(false).message()),
              HasSubstr("Loss::Each"));
  EXPECT_THAT(std::string(Loss(mean_squared_error).WithLabelSmoothing(0.1).Check(false).message()),
              HasSubstr("no labels to smooth"));
  EXPECT_THAT(std::string(Loss(binary_crossentropy).WithLabelSmoothing(1).Check(false).message()),
              HasSubstr("less than 1"));
}

}  // namespace
}  // namespace gradus
