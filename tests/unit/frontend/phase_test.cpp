// What a model says of training: phases, states, random numbers.

#include "frontend/phase.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "frontend/gradus.h"
#include "ir/printer.h"
#include "ir/verifier.h"

namespace gradus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

runtime::Tensor Matrix(int64_t rows, int64_t columns, float first, float slope) {
  std::vector<float> x(static_cast<size_t>(rows * columns));
  for (size_t i = 0; i < x.size(); ++i) x[i] = first + slope * static_cast<float>(i);
  return runtime::Tensor::FromVector<float>({rows, columns}, x).value();
}

// x counts on from `first`; y is the same, of `target_columns` (-1: as many).
data::Dataset Rows(int64_t samples, int64_t columns, float first = 0, float slope = 0,
                   int64_t target_columns = -1) {
  std::vector<data::NamedTensor> inputs, targets;
  inputs.push_back({"x", Matrix(samples, columns, first, slope)});
  targets.push_back(
      {"y", Matrix(samples, target_columns < 0 ? columns : target_columns, first, slope)});
  return data::Dataset::Create(std::move(inputs), std::move(targets)).value();
}

// The loss of a training step is then the prediction's sum over the number of samples.
Tensor SumPerSample(Operand, Operand prediction) {
  return reduce_sum(prediction) / count(prediction, {0});
}

Trainer Compiled(Model& m, const Loss& loss = Loss(SumPerSample)) {
  return Compile(m, {.optimizer = SGD{0.0}, .loss = loss}, {.cache_dir = ""}).value();
}

double StepLoss(Trainer& t, const data::Dataset& rows) {
  const std::vector<runtime::TensorView> inputs = {rows.inputs()[0].tensor};
  const std::vector<runtime::TensorView> targets = {rows.targets()[0].tensor};
  return t.TrainStep(inputs, targets).value().loss;
}

TEST(Phase, EntriesChoose) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 2});
  m.Output("y", by_phase(x * 3, exp(x)));
  const auto module = BuildTrainingModule(m, {});
  ASSERT_TRUE(module.ok()) << module.status();
  ASSERT_TRUE(ir::Verify(**module).ok()) << ir::Verify(**module);
  for (const char* entry : {"forward", "evaluate"}) {
    const std::string text = ir::Print(*(*module)->Find(entry));
    EXPECT_THAT(text, HasSubstr("exp ")) << text;
    EXPECT_THAT(text, Not(HasSubstr("by_phase"))) << text;
  }
  const std::string step = ir::Print(*(*module)->Find("train_step"));
  EXPECT_THAT(step, Not(HasSubstr("exp "))) << step;
  EXPECT_THAT(step, HasSubstr("mul ")) << step;
}

TEST(Phase, GradientsChooseToo) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 2});
  const Tensor y = by_phase(x * 3, x * 5);
  m.Output("y", y);
  m.Output("dx", Grad(reduce_sum(y), {x})[0]);
  Trainer t = Compiled(m, Loss([](Operand, Operand p) { return reduce_mean(p); }));
  std::vector<data::NamedTensor> inputs, targets;
  inputs.push_back({"x", runtime::Tensor::FromVector<float>({1, 2}, {1, 1}).value()});
  targets.push_back({"y", runtime::Tensor::FromVector<float>({1, 2}, {1, 1}).value()});
  targets.push_back({"dx", runtime::Tensor::FromVector<float>({1, 2}, {1, 1}).value()});
  const data::Dataset rows = data::Dataset::Create(std::move(inputs), std::move(targets)).value();
  const std::vector<runtime::TensorView> in = {rows.inputs()[0].tensor};
  const std::vector<runtime::TensorView> out = {rows.targets()[0].tensor, rows.targets()[1].tensor};
  EXPECT_FLOAT_EQ(static_cast<float>(t.TrainStep(in, out).value().loss), 3 + 3);
  EXPECT_FLOAT_EQ(static_cast<float>(t.Evaluate(rows).value().loss), 5 + 5);
}

TEST(Phase, StepsOfLoopsChooseToo) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 2});
  const auto step = [](const ScanStep& s) {
    const Tensor h = s.carries[0];
    // A loop within the loop: what it says of phases counts, too.
    const ScanValues inner =
        Scan("inner", {.carries = {h}},
             [](const ScanStep& i) {
               return ScanValues{.carries = {by_phase(i.carries[0] * 3, i.carries[0] * 5)},
                                 .outputs = {}};
             },
             {.length = 2});
    return ScanValues{.carries = {inner.carries[0]}, .outputs = {}};
  };
  m.Output("y", Scan("outer", {.carries = {x}}, step, {.length = 2}).carries[0]);
  Trainer t = Compiled(m);
  const data::Dataset rows = Rows(3, 2, 1);
  EXPECT_FLOAT_EQ(static_cast<float>(StepLoss(t, rows)), 2 * 81);
  EXPECT_FLOAT_EQ(static_cast<float>(t.Evaluate(rows).value().loss), 2 * 625);
}

TEST(State, IsLeftByStepsAndReadByAll) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 1});
  const Tensor steps = m.State("steps", {}, Zeros());
  m.UpdateState(steps, steps + 1);
  m.UpdateState(steps, m.LatestState(steps) + 1);  // as a layer that is called twice would
  m.Output("y", x + steps);
  Trainer t = Compiled(m);
  const data::Dataset rows = Rows(3, 1);
  EXPECT_EQ(StepLoss(t, rows), 0);
  EXPECT_EQ(StepLoss(t, rows), 2);
  EXPECT_EQ(t.Evaluate(rows).value().loss, 4);
  EXPECT_EQ(t.Evaluate(rows).value().loss, 4);
  EXPECT_EQ(t.Parameter("steps")->data<float>()[0], 4);
  ASSERT_TRUE(t.Reset(0).ok());
  EXPECT_EQ(t.Parameter("steps")->data<float>()[0], 0);
}

TEST(State, HasNoGradientAndNoOptimiserState) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 1});
  const Tensor w = m.Parameter("w", {}, Ones());
  const Tensor s = m.State("s", {}, Ones());
  m.Output("y", x * w * s);
  const auto module = BuildTrainingModule(m, {.optimizer = Adam{}});
  ASSERT_TRUE(module.ok()) << module.status();
  std::vector<std::string> names;
  for (const ir::Result& r : (*module)->Find("train_step")->results()) names.push_back(r.name);
  EXPECT_THAT(names, ElementsAre("loss", "w", "w/m", "w/v", "step"));
}

TEST(State, WrongUpdatesAreRefused) {
  for (const bool trainable : {false, true}) {
    Model m("m");
    const Tensor x = m.Input("x", {kBatch, 1});
    const Tensor s = trainable ? m.Parameter("s", {}, Ones()) : m.State("s", {}, Ones());
    m.UpdateState(s, trainable ? s : x);
    m.Output("y", x * s);
    const auto module = BuildTrainingModule(m, {});
    ASSERT_FALSE(module.ok());
    EXPECT_THAT(std::string(module.status().message()),
                HasSubstr(trainable ? "only what State made can be updated"
                                    : "the new value of s is f32[B, 1], expected f32[]"));
  }
}

TEST(Dropout, DropsTheShareThatItSaysInTrainingOnly) {
  constexpr double kRate = 0.3;
  constexpr int64_t kSamples = 400, kColumns = 250;
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, kColumns});
  m.Output("y", m.Add<Dropout>("drop", kRate)(x));
  // The share of zeros, and of elements divided by 1 - rate; all else shows in neither.
  Trainer zeros = Compiled(m, Loss([](Operand, Operand p) {
                             return reduce_mean(cast(equal(p, 0), p.value().dtype()));
                           }));
  Trainer scaled = Compiled(m, Loss([](Operand t, Operand p) {
                              const Tensor near = less(abs(p - t.value() / (1 - kRate)), 1e-6);
                              return reduce_mean(cast(near, p.value().dtype()));
                            }));
  const data::Dataset rows = Rows(kSamples, kColumns, /*first=*/1);
  // Five standard deviations of a binomial distribution.
  const double bound = 5 * std::sqrt(kRate * (1 - kRate) / (kSamples * kColumns));
  double last = -1;
  for (int step = 0; step < 4; ++step) {
    const double share = StepLoss(zeros, rows);
    EXPECT_NEAR(share, kRate, bound);
    EXPECT_NEAR(share + StepLoss(scaled, rows), 1, 1e-6);  // the same numbers: the same seed
    EXPECT_NE(share, last);                                // other numbers each step
    last = share;
  }
  EXPECT_EQ(zeros.Evaluate(rows).value().loss, 0);
  // Another seed, other numbers; the same seed, the same.
  ASSERT_TRUE(zeros.Reset(1).ok());
  const double other = StepLoss(zeros, rows);
  ASSERT_TRUE(zeros.Reset(0).ok());
  const double first = StepLoss(zeros, rows);
  ASSERT_TRUE(zeros.Reset(1).ok());
  EXPECT_EQ(StepLoss(zeros, rows), other);
  EXPECT_NE(first, other);
}

TEST(Dropout, TwoLayersAndTwoElementsAreIndependent) {
  constexpr double kRate = 0.5;
  constexpr int64_t kSamples = 300, kColumns = 256;
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, kColumns});
  const Tensor a = m.Add<Dropout>("a", kRate)(x);
  const Tensor b = m.Add<Dropout>("b", kRate)(x);
  m.Output("y", a * b);  // kept in both: a quarter, times 4
  Trainer both = Compiled(m, mean_squared_error);
  Model n("n");
  const Tensor kept = n.Add<Dropout>("a", kRate)(n.Input("x", {kBatch, kColumns}));
  const Tensor left = slice(kept, {{}, {0, kColumns - 1}});
  const Tensor right = slice(kept, {{}, {1}});
  n.Output("y", left * right);
  Trainer neighbours = Compiled(n, Loss([](Operand, Operand p) { return reduce_mean(p); }));
  const data::Dataset ones = Rows(kSamples, kColumns, 1);
  const double samples = kSamples * (kColumns - 1);
  // mean of (4 b - 1)^2 with P(b) = 1/4: 1/4 * 9 + 3/4 = 3, deviation 2 sqrt(3) * ... <= 4.
  EXPECT_NEAR(StepLoss(both, ones), 3, 5 * 4 / std::sqrt(samples));
  const data::Dataset shorter = Rows(kSamples, kColumns, 1, 0, kColumns - 1);
  EXPECT_NEAR(StepLoss(neighbours, shorter), 1, 5 * 2 / std::sqrt(samples));
}

TEST(Dropout, SharedAxesDropWholeFeatures) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 8});
  const Tensor dropped = m.Add<Dropout>("drop", 0.5, std::vector<int64_t>{-1})(x);
  m.Output("y", reduce_sum(dropped, {1}, true) * (8 - reduce_sum(dropped, {1}, true) / 2));
  Trainer t = Compiled(m);
  const data::Dataset rows = Rows(64, 8, 1, 0, 1);
  EXPECT_EQ(StepLoss(t, rows), 0);  // each row's sum is 0 or 16
}

TEST(Dropout, WrongRatesAreRefused) {
  for (const double rate : {-0.1, 1.0, std::nan("")}) {
    Model m("m");
    m.Output("y", m.Add<Dropout>("drop", rate)(m.Input("x", {kBatch, 8})));
    EXPECT_THAT(std::string(m.Check().message()), HasSubstr("expected 0 <= rate < 1"));
  }
}

TEST(GaussianNoise, HasItsDeviation) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 100});
  m.Output("y", m.Add<GaussianNoise>("noise", 0.5)(x));
  Trainer t = Compiled(m, mean_squared_error);
  const data::Dataset rows = Rows(400, 100, 1, 1e-3F);
  EXPECT_NEAR(StepLoss(t, rows), 0.25, 5 * 0.25 * std::sqrt(2.0 / 40000));
  EXPECT_EQ(t.Evaluate(rows).value().loss, 0);
}

// Of each of kLoopSteps steps the same row, dropped out for itself.
constexpr int64_t kLoopSteps = 4;
constexpr double kLoopRate = 0.5;
Tensor DroppedInALoop(Model& m, Tensor row) {
  const Dim batch = row.shape()[0], columns = row.shape()[1];
  const Tensor rows = broadcast(row, {Dim(kLoopSteps), batch, columns}, {1, 2});
  const ScanValues r = Scan(
      "loop", {.sequences = {rows}},
      [](const ScanStep& s) {
        return ScanValues{.carries = {}, .outputs = {dropout(s.elements[0], s.keys[0], kLoopRate)}};
      },
      {.keys = {m.NextRandomKey()}});
  return reshape(transpose(r.outputs[0], {1, 0, 2}), {batch, Dim(kLoopSteps * columns.size())});
}

constexpr int64_t kLoopColumns = 200;
// The share of elements that two steps of the loop have in common.
template <int64_t kA, int64_t kB>
Tensor InCommon(Operand, Operand p) {
  const auto of = [&](int64_t step) {
    return slice(p, {Range1{}, Range1{step * kLoopColumns, (step + 1) * kLoopColumns}});
  };
  return reduce_mean(cast(equal(of(kA), of(kB)), p.value().dtype()));
}

TEST(Dropout, DropsOthersInEveryStepOfALoop) {
  constexpr int64_t kSamples = 100;
  Model m("m");
  m.Output("y", DroppedInALoop(m, m.Input("x", {kBatch, kLoopColumns})));
  const data::Dataset rows = Rows(kSamples, kLoopColumns, 1, 0, kLoopSteps * kLoopColumns);
  const double bound = 5 * std::sqrt(0.25 / (kSamples * kLoopColumns));
  for (const Loss& in_common : {Loss(InCommon<0, 1>), Loss(InCommon<0, 3>), Loss(InCommon<1, 2>)}) {
    Trainer t = Compiled(m, in_common);
    const double first = StepLoss(t, rows);
    EXPECT_NEAR(first, 0.5, bound);
    EXPECT_NE(StepLoss(t, rows), first) << "the next training step draws others";
    EXPECT_EQ(t.Evaluate(rows).value().loss, 1) << "all are kept outside of training";
  }
}

// The loss is linear in w, so that w times its gradient is the loss, if the gradient sees the masks
// that the loss saw.
TEST(Dropout, OfALoopIsTheSameInItsGradient) {
  constexpr int64_t kColumns = 50;
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, kColumns});
  const Tensor w = m.Parameter("w", {kColumns}, Ones());
  m.Output("y", DroppedInALoop(m, x * w));
  Trainer t =
      Compile(m, {.optimizer = SGD{1.0}, .loss = Loss(SumPerSample)}, {.cache_dir = ""}).value();
  const double loss = StepLoss(t, Rows(7, kColumns, 1, 0, kLoopSteps * kColumns));
  double product = 0;
  for (const float v : t.Parameter("w")->data<float>()) product += 1 - static_cast<double>(v);
  EXPECT_NEAR(product, loss, 1e-3 * loss);
  EXPECT_GT(loss, 0);
}

TEST(Dropout, AsALayerInTheStepOfALoopIsRefusedWithTheNextStep) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 3});
  Dropout& layer = m.Add<Dropout>("drop", 0.5);
  const ScanValues r = Scan("loop", {.carries = {x}},
                            [&](const ScanStep& s) {
                              return ScanValues{.carries = {layer(s.carries[0])}, .outputs = {}};
                            },
                            {.length = 3});
  m.Output("y", r.carries[0]);
  const std::string error(m.Check().message());
  EXPECT_THAT(error, HasSubstr("layer drop is called in the step of a loop"));
  EXPECT_THAT(error, HasSubstr("dropout with a key of ScanOptions::keys"));
}

// Against the formulas in double, for two steps and both kinds of variance.
TEST(BatchNorm, MovesItsStatisticsInTraining) {
  for (const bool unbiased : {false, true}) {
    constexpr int64_t kSamples = 5, kColumns = 3;
    Model m("m");
    const Tensor x = m.Input("x", {kBatch, kColumns});
    m.Output("y",
             m.Add<BatchNorm>("norm", BatchNorm::Options{.momentum = 0.9,
                                                         .unbiased_moving_variance = unbiased})(x));
    Trainer t = Compiled(m, mean_squared_error);
    std::vector<double> mean(kColumns, 0), variance(kColumns, 1);
    for (int step = 0; step < 2; ++step) {
      const data::Dataset rows = Rows(kSamples, kColumns, 1.5F, 0.7F + static_cast<float>(step));
      const std::span<const float> v = rows.inputs()[0].tensor.data<float>();
      double loss = 0;
      for (size_t c = 0; c < kColumns; ++c) {
        double mu = 0, var = 0;
        for (size_t i = 0; i < kSamples; ++i) mu += v[i * kColumns + c] / double{kSamples};
        for (size_t i = 0; i < kSamples; ++i) {
          var += std::pow(v[i * kColumns + c] - mu, 2) / double{kSamples};
        }
        for (size_t i = 0; i < kSamples; ++i) {
          const double y = (v[i * kColumns + c] - mu) / std::sqrt(var + 1e-3);
          loss += std::pow(y - v[i * kColumns + c], 2) / double{kSamples * kColumns};
        }
        mean[c] = 0.9 * mean[c] + 0.1 * mu;
        variance[c] = 0.9 * variance[c] + 0.1 * var * (unbiased ? 5.0 / 4 : 1);
      }
      EXPECT_NEAR(StepLoss(t, rows), loss, 1e-4 * loss);
      for (size_t c = 0; c < kColumns; ++c) {
        EXPECT_NEAR(t.Parameter("norm.moving_mean")->data<float>()[c], mean[c], 1e-5);
        EXPECT_NEAR(t.Parameter("norm.moving_variance")->data<float>()[c], variance[c], 1e-4);
      }
    }
    const data::Dataset rows = Rows(1, kColumns, 2, 1);
    const auto y = t.Predict(rows).value();
    for (size_t c = 0; c < kColumns; ++c) {
      const double want = (2 + static_cast<double>(c) - mean[c]) / std::sqrt(variance[c] + 1e-3);
      EXPECT_NEAR(y[0].data<float>()[c], want, 1e-5);
    }
  }
}

}  // namespace
}  // namespace gradus
