// What options of training do to whole steps: equalities that must hold between trainings.

#include "frontend/weight_update.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "frontend/data/philox.h"
#include "frontend/gradus.h"

namespace gradus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kFeatures = 3;

struct Batch {
  runtime::Tensor x, y, weight;
};

Batch MakeBatch(int64_t rows, uint64_t seed) {
  data::PhiloxStream random(seed);
  std::vector<double> x, y, w;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t k = 0; k < kFeatures; ++k) x.push_back(random.Normal());
    y.push_back(random.Normal());
    w.push_back(random.Normal() > 0 ? 1 : 0);
  }
  return {runtime::Tensor::FromVector<double>({rows, kFeatures}, x).value(),
          runtime::Tensor::FromVector<double>({rows, 1}, y).value(),
          runtime::Tensor::FromVector<double>({rows}, w).value()};
}

// Rows [begin, end) of the one batch.
Batch Part(const Batch& b, int64_t begin, int64_t end) {
  const auto rows = [&](const runtime::Tensor& t, int64_t width, std::vector<int64_t> shape) {
    const auto all = t.data<double>();
    return runtime::Tensor::FromVector<double>(
               std::move(shape), {all.begin() + begin * width, all.begin() + end * width})
        .value();
  };
  return {rows(b.x, kFeatures, {end - begin, kFeatures}), rows(b.y, 1, {end - begin, 1}),
          rows(b.weight, 1, {end - begin})};
}

Trainer MakeTrainer(const TrainingOptions& options) {
  Model m("net", DType::kF64);
  const Tensor x = m.Input("x", {kBatch, kFeatures});
  m.Output("y", m.Add<Dense>("out", 1)(m.Add<Dense>("hidden", 4, tanh)(x)));
  auto trainer = Compile(m, options, {.cache_dir = ""});
  EXPECT_TRUE(trainer.ok()) << trainer.status();
  return *std::move(trainer);
}

double Step(Trainer& t, const Batch& b, bool weights = false) {
  std::vector<runtime::TensorView> targets = {b.y};
  if (weights) targets.emplace_back(b.weight);
  const std::vector<runtime::TensorView> inputs = {b.x};
  const auto e = t.TrainStep(inputs, targets);
  EXPECT_TRUE(e.ok()) << e.status();
  return e.ok() ? e->loss : NAN;
}

data::Dataset DatasetOf(const Batch& b, bool weights = false) {
  std::vector<data::NamedTensor> inputs, targets;
  inputs.push_back({"x", b.x.Clone().value()});
  targets.push_back({"y", b.y.Clone().value()});
  if (weights) targets.push_back({"sample_weight", b.weight.Clone().value()});
  return data::Dataset::Create(std::move(inputs), std::move(targets)).value();
}

using Weights = std::vector<double>;
Weights WeightsOf(const Trainer& t) {
  Weights all;
  for (const std::string& name : t.ParameterNames()) {
    const auto values = t.Parameter(name)->data<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

void ExpectNear(const Weights& got, const Weights& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], tolerance) << i;
}

TEST(Accumulation, MicroBatchesOfAnySizesEqualTheBigBatch) {
  TrainingOptions options{.optimizer = Adam({.learning_rate = 0.05}),
                          .loss = mean_squared_error,
                          .regularizers = {L2(0.01)},
                          .schedule = StepDecay(1, 0.5),
                          .clipping = ClipByGlobalNorm(0.2)};
  Trainer whole = MakeTrainer(options);
  options.accumulate_batches = 3;
  Trainer parts = MakeTrainer(options);
  const Weights start = WeightsOf(parts);
  for (const uint64_t seed : {1, 2, 3}) {
    const Batch b = MakeBatch(16, seed);
    const Weights before = WeightsOf(parts);
    Step(parts, Part(b, 0, 5));
    Step(parts, Part(b, 5, 12));
    EXPECT_EQ(WeightsOf(parts), before);  // nothing moves before the third
    Step(parts, Part(b, 12, 16));
    Step(whole, b);
    ExpectNear(WeightsOf(parts), WeightsOf(whole), 1e-14);
  }
  EXPECT_NE(WeightsOf(parts), start);
}

TEST(Accumulation, SampleWeightsAreWeighedAsInTheBigBatch) {
  TrainingOptions options{
      .optimizer = SGD(0.1), .loss = mean_squared_error, .sample_weights = true};
  Trainer whole = MakeTrainer(options);
  options.accumulate_batches = 2;
  Trainer parts = MakeTrainer(options);
  const Batch b = MakeBatch(16, 1);
  Step(parts, Part(b, 0, 5), true);
  Step(parts, Part(b, 5, 16), true);
  Step(whole, b, true);
  ExpectNear(WeightsOf(parts), WeightsOf(whole), 1e-15);
}

// Two micro-batches must not drop the same elements.
TEST(Accumulation, RandomLayersDrawAnewForEachBatch) {
  Model m("noisy", DType::kF64);
  m.Output("y", m.Add<GaussianNoise>(
                    "noise", 1.0)(m.Add<Dense>("out", 1)(m.Input("x", {kBatch, kFeatures}))));
  auto t = Compile(m, {.optimizer = SGD(0.1), .loss = mean_squared_error, .accumulate_batches = 4},
                   {.cache_dir = ""});
  ASSERT_TRUE(t.ok()) << t.status();
  const Batch b = MakeBatch(8, 1);
  EXPECT_NE(Step(*t, b), Step(*t, b));
}

TEST(Averages, FollowTheirFormulaAndAreUsedOnDemand) {
  Trainer t =
      MakeTrainer({.optimizer = SGD(0.1), .loss = mean_squared_error, .average_decay = 0.75});
  const data::Dataset data = DatasetOf(MakeBatch(20, 9));
  Weights average = WeightsOf(t);
  ASSERT_TRUE(t.UseAverages(true).ok());
  const double untrained = t.Evaluate(data)->loss;
  ASSERT_TRUE(t.UseAverages(false).ok());
  EXPECT_EQ(t.Evaluate(data)->loss, untrained);
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    Step(t, MakeBatch(8, seed));
    const Weights now = WeightsOf(t);
    for (size_t i = 0; i < now.size(); ++i) average[i] = 0.75 * average[i] + 0.25 * now[i];
  }
  ASSERT_TRUE(t.UseAverages(true).ok());
  const double averaged = t.Evaluate(data)->loss;
  // The same from a trainer whose weights are those averages.
  Trainer other = MakeTrainer({.optimizer = SGD(0.1), .loss = mean_squared_error});
  size_t at = 0;
  for (const std::string& name : other.ParameterNames()) {
    const runtime::Tensor* p = other.Parameter(name);
    const auto n = static_cast<size_t>(p->num_elements());
    const Weights values(average.begin() + static_cast<std::ptrdiff_t>(at),
                         average.begin() + static_cast<std::ptrdiff_t>(at + n));
    at += n;
    const auto value = runtime::Tensor::FromVector<double>(p->shape(), values).value();
    ASSERT_TRUE(other.SetParameter(name, value).ok());
  }
  EXPECT_NEAR(other.Evaluate(data)->loss, averaged, 1e-14);
  EXPECT_THAT(std::string(other.UseAverages(true).message()), HasSubstr("average_decay"));
}

TEST(Schedules, TheStepUsesTheRateTimesTheFactor) {
  Trainer t = MakeTrainer(
      {.optimizer = SGD(0.4), .loss = mean_squared_error, .schedule = ExponentialDecay(1, 0.5)});
  Trainer plain = MakeTrainer({.optimizer = SGD(0.4), .loss = mean_squared_error});
  for (const double rate : {0.4, 0.2, 0.1}) {
    const Batch b = MakeBatch(8, 5);
    plain.SetLearningRate(rate);
    Step(t, b);
    Step(plain, b);
    EXPECT_NEAR(t.used_learning_rate(), rate, 1e-15);
    EXPECT_EQ(plain.used_learning_rate(), rate);
    ExpectNear(WeightsOf(t), WeightsOf(plain), 1e-15);
  }
  t.SetLearningRate(4);  // a callback's change multiplies, too
  Step(t, MakeBatch(8, 6));
  EXPECT_NEAR(t.used_learning_rate(), 0.5, 1e-15);
}

TEST(Regularizers, AreInTheReportedLossAndItsGradient) {
  const TrainingOptions plain{.optimizer = SGD(0.1), .loss = mean_squared_error};
  TrainingOptions options = plain;
  options.regularizers = {L2(0.1), L1(0.03).For("hidden"), L1L2(0.2, 0.5).For("out.bias")};
  Trainer with = MakeTrainer(options), without = MakeTrainer(plain);
  const Batch b = MakeBatch(8, 1);
  Step(with, b);  // biases leave 0
  for (const std::string& name : with.ParameterNames()) {
    ASSERT_TRUE(without.SetParameter(name, *with.Parameter(name)).ok());
  }
  double penalty = 0;
  std::vector<Weights> gradients;  // of the penalty
  for (const std::string& name : with.ParameterNames()) {
    const double l2 = name.ends_with("kernel") ? 0.1 : name == "out.bias" ? 0.5 : 0;
    const double l1 = name == "hidden.kernel" ? 0.03 : name == "out.bias" ? 0.2 : 0;
    gradients.emplace_back();
    for (const double w : with.Parameter(name)->data<double>()) {
      penalty += l1 * std::fabs(w) + l2 * w * w;
      gradients.back().push_back(l1 * (w > 0 ? 1 : w < 0 ? -1 : 0) + 2 * l2 * w);
    }
  }
  const data::Dataset data = DatasetOf(b);
  EXPECT_NEAR(with.Evaluate(data)->loss, without.Evaluate(data)->loss + penalty, 1e-14);
  EXPECT_NEAR(Step(with, b), Step(without, b) + penalty, 1e-14);
  size_t i = 0;
  for (const std::string& name : with.ParameterNames()) {
    const auto got = with.Parameter(name)->data<double>();
    const auto base = without.Parameter(name)->data<double>();
    for (size_t k = 0; k < got.size(); ++k) {
      EXPECT_NEAR(got[k], base[k] - 0.1 * gradients[i][k], 1e-15) << name;
    }
    ++i;
  }
}

TEST(Norms, AreThoseOfWeightsAndGradients) {
  Trainer t = MakeTrainer({.optimizer = SGD(0.5),
                           .loss = mean_squared_error,
                           .clipping = ClipByValue(1000),
                           .record_norms = true});
  ASSERT_THAT(t.NormNames(), ElementsAre("hidden.kernel", "hidden.bias", "out.kernel", "out.bias"));
  std::vector<Weights> before;
  for (const std::string& name : t.ParameterNames()) {
    const auto w = t.Parameter(name)->data<double>();
    before.emplace_back(w.begin(), w.end());
  }
  Step(t, MakeBatch(8, 1));
  Weights gradients(4), weights(4);
  t.ReadNorms(gradients, weights);
  for (size_t i = 0; i < 4; ++i) {
    const auto now = t.Parameter(t.NormNames()[i])->data<double>();
    double gradient = 0, weight = 0;
    for (size_t k = 0; k < now.size(); ++k) {
      gradient += std::pow((before[i][k] - now[k]) / 0.5, 2);
      weight += before[i][k] * before[i][k];
    }
    EXPECT_NEAR(gradients[i], std::sqrt(gradient), 1e-14);
    EXPECT_NEAR(weights[i], std::sqrt(weight), 1e-14);
  }
}

TEST(Norms, AndTheScheduledRateAreInTheHistory) {
  Trainer t = MakeTrainer({.optimizer = SGD(0.5),
                           .loss = mean_squared_error,
                           .schedule = ExponentialDecay(1, 0.5),
                           .record_norms = true});
  FitOptions fit;
  fit.epochs = 2;
  fit.batch_size = 8;
  fit.progress = ProgressMode::kOff;
  const auto history = t.Fit(DatasetOf(MakeBatch(12, 1)), fit);
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_THAT(history->steps.learning_rate,
              testing::Pointwise(testing::DoubleNear(1e-15), {0.5, 0.25, 0.125, 0.0625}));
  EXPECT_NEAR(history->epochs[0].learning_rate, 0.25, 1e-15);
  ASSERT_EQ(history->steps.norms.size(), 4U);
  EXPECT_EQ(history->steps.norms[2].name, "out.kernel");
  Weights gradients(4), weights(4);
  t.ReadNorms(gradients, weights);
  for (size_t i = 0; i < 4; ++i) {
    ASSERT_EQ(history->steps.norms[i].gradient.size(), 4U);
    EXPECT_EQ(history->steps.norms[i].gradient[3], gradients[i]);
    EXPECT_EQ(history->steps.norms[i].weight[3], weights[i]);
  }
}

TEST(SampleWeights, OfZeroAndOneSelectSamples) {
  const Batch b = MakeBatch(24, 4);
  double chosen = 0;
  for (const double w : b.weight.data<double>()) chosen += w;
  ASSERT_GT(chosen, 0);
  ASSERT_LT(chosen, 24);
  Trainer t = MakeTrainer({.optimizer = SGD(0.1),
                           .loss = mean_squared_error,
                           .metrics = {mse},
                           .weighted_metrics = {mse},
                           .sample_weights = true});
  ASSERT_THAT(t.metric_names(), ElementsAre("mse", "weighted_mse"));
  const auto e = t.Evaluate(DatasetOf(b, true), 7);
  ASSERT_TRUE(e.ok()) << e.status();
  // Without weights in the data every sample counts 1.
  const auto all = t.Evaluate(DatasetOf(b), 7);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(e->metrics[0], all->metrics[0]);
  EXPECT_NEAR(all->metrics[1], all->metrics[0], 1e-14);
  EXPECT_NEAR(all->loss, all->metrics[0], 1e-14);
  EXPECT_NEAR(e->loss, e->metrics[1] * chosen / 24, 1e-14);
  EXPECT_NE(e->metrics[0], e->metrics[1]);
}

TEST(TrainingOptions, ThatMakeNoSenseAreRefused) {
  Model m("net");
  m.Output("y", m.Add<Dense>("out", 1)(m.Input("x", {kBatch, 2})));
  const auto message = [&](const TrainingOptions& options) {
    return std::string(CheckOptions(m, options).message());
  };
  EXPECT_EQ(message({}), "");
  EXPECT_THAT(message({.accumulate_batches = 0}), HasSubstr("accumulate_batches is 0"));
  EXPECT_THAT(message({.average_decay = 1}), HasSubstr("average_decay is 1"));
  EXPECT_THAT(message({.clipping = ClipByNorm(0)}), HasSubstr("clipped at 0"));
  EXPECT_THAT(message({.regularizers = {L2(1).For("hidden")}}),
              HasSubstr("parameters are out.kernel, out.bias"));
  EXPECT_THAT(message({.metrics = {accuracy, accuracy}}), HasSubstr("there already"));
  EXPECT_THAT(message({.weighted_metrics = {mae}}), HasSubstr("sample_weights"));
}

}  // namespace
}  // namespace gradus
