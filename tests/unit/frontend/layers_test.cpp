// Layers beside Dense: shapes, normalisation, embedding, attention, sequential models, shared
// weights, users' own layers and gradients.

#include "frontend/layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "frontend/gradus.h"

namespace gradus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

runtime::Tensor Counted(std::vector<int64_t> shape, double first = 0, double slope = 1) {
  int64_t n = 1;
  for (const int64_t size : shape) n *= size;
  std::vector<double> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(first + slope * static_cast<double>(i));
  return runtime::Tensor::FromVector<double>(std::move(shape), values).value();
}

data::Dataset Samples(runtime::Tensor x, runtime::Tensor y) {
  std::vector<data::NamedTensor> inputs, targets;
  inputs.push_back({"x", std::move(x)});
  targets.push_back({"y", std::move(y)});
  return data::Dataset::Create(std::move(inputs), std::move(targets)).value();
}

// What a model in f64 gives for one batch of x, with the parameters of seed 0.
std::vector<double> Outputs(Model& m, runtime::Tensor x) {
  auto trainer = Compile(m, {.loss = mean_squared_error}, {.cache_dir = ""});
  EXPECT_TRUE(trainer.ok()) << trainer.status();
  if (!trainer.ok()) return {};
  const int64_t samples = x.shape()[0];
  const auto y = trainer->Predict(Samples(std::move(x), Counted({samples, 1})));
  EXPECT_TRUE(y.ok()) << y.status();
  if (!y.ok()) return {};
  const std::span<const double> values = (*y)[0].data<double>();
  return {values.begin(), values.end()};
}

TEST(Layers, ReshapeAndPermuteKeepTheBatch) {
  Model m("m", DType::kF64);
  const Tensor x = m.Input("x", {kBatch, 6});
  const Tensor y = m.Add<Reshape>("reshape", std::vector<int64_t>{2, -1})(x);
  EXPECT_EQ(ir::ToString(y.shape()), "[B, 2, 3]");
  m.Output("y", m.Add<Permute>("permute", std::vector<int64_t>{2, 1})(y));
  EXPECT_THAT(Outputs(m, Counted({1, 6})), ElementsAre(0, 3, 1, 4, 2, 5));
}

TEST(Layers, ActivationsByName) {
  Model m("m", DType::kF64);
  Tensor x = m.Input("x", {kBatch, 2});
  x = concat({m.Add<ReLU>("relu")(x), m.Add<LeakyReLU>("leaky", 0.5)(x), m.Add<ELU>("elu")(x),
              m.Add<Softmax>("softmax")(x)},
             1);
  m.Output("y", x);
  const double e = std::exp(3.0);
  EXPECT_THAT(
      Outputs(m, Counted({1, 2}, -1, 3)),
      testing::Pointwise(testing::DoubleNear(1e-12),
                         {0.0, 2.0, -0.5, 2.0, std::exp(-1.0) - 1, 2.0, 1 / (1 + e), e / (1 + e)}));
}

TEST(Layers, SequentialNamesItsLayers) {
  Sequential net("net", {kBatch, 4}, DType::kF64);
  net.Add<Dense>(3, relu).Add<Dropout>(0.5).Add<Dense>(2).Add(tanh).Add<Lambda>(
      [](Operand x) { return mul(x, 2); });
  std::vector<std::string> names;
  for (const LayerInfo& layer : net.model().layers()) names.push_back(layer.name);
  EXPECT_THAT(names, ElementsAre("dense", "dropout", "dense_1", "lambda"));
  EXPECT_EQ(net.model().forward().results().size(), 1U);
  EXPECT_EQ(net.model().num_parameters(), 4 * 3 + 3 + 3 * 2 + 2);
  EXPECT_EQ(Outputs(net.model(), Counted({3, 4})).size(), 6U);
}

TEST(Layers, ASharedLayerHasOneKernelAndTheSumOfBothGradients) {
  Model m("m", DType::kF64);
  const Tensor x = m.Input("x", {kBatch, 3});
  Dense& shared = m.Add<Dense>("d", 3);
  const Tensor y = shared(shared(x));
  EXPECT_EQ(m.num_parameters(), 12);
  const Tensor kernel = m.forward().FindArgument("d.kernel");
  m.Output("y", reduce_sum(Grad(reduce_sum(y), {kernel})[0]) + 0.0 * x);
  // d/dK of sum((x K + b) K + b), summed over K's elements, with b = 0: by central differences in
  // the direction of ones.
  auto t = Compile(m, {.loss = mean_squared_error}, {.cache_dir = ""}).value();
  const std::span<const double> k = t.Parameter("d.kernel")->data<double>();
  const auto loss = [&](double step) {
    double sum = 0, h[3] = {0, 0, 0};
    for (size_t j = 0; j < 3; ++j) {
      for (size_t i = 0; i < 3; ++i) h[j] += static_cast<double>(i) * (k[i * 3 + j] + step);
    }
    for (size_t j = 0; j < 3; ++j) {
      for (size_t i = 0; i < 3; ++i) sum += h[i] * (k[i * 3 + j] + step);
    }
    return sum;
  };
  const double want = (loss(1e-5) - loss(-1e-5)) / 2e-5;
  const auto got = t.Predict(Samples(Counted({1, 3}), Counted({1, 3}))).value();
  EXPECT_NEAR(got[0].data<double>()[0], want, 1e-6 * std::fabs(want));
}

TEST(Embedding, LearnsOnlyTheRowsThatItSees) {
  Sequential net("net", {kBatch, 2}, DType::kF64, DType::kI64);
  net.Add<Embedding>(5, 3);
  auto t =
      Compile(net.model(), {.optimizer = SGD{1.0}, .loss = mean_squared_error}, {.cache_dir = ""})
          .value();
  const std::span<const double> table = t.Parameter("embedding.table")->data<double>();
  const std::vector<double> before(table.begin(), table.end());
  const auto x = runtime::Tensor::FromVector<int64_t>({2, 2}, {1, 3, 1, -1}).value();
  const auto y = runtime::Tensor::Zeros(runtime::DType::kF64, {2, 2, 3}).value();
  const std::vector<runtime::TensorView> inputs = {x}, targets = {y};
  ASSERT_TRUE(t.TrainStep(inputs, targets).ok());
  // Loss: the mean over 12 elements of the square; row 1 stands twice.
  for (size_t i = 0; i < before.size(); ++i) {
    const double times = i / 3 == 1 ? 2 : i / 3 == 3 ? 1 : 0;
    EXPECT_NEAR(table[i], before[i] * (1 - times * 2 / 12), 1e-15) << i;
  }
}

// Means and variances of what the layer gives, per group of `size` elements of each sample.
void ExpectStandard(const std::vector<double>& y, const std::vector<std::vector<size_t>>& groups,
                    double tolerance) {
  for (const std::vector<size_t>& group : groups) {
    double mean = 0, variance = 0;
    for (const size_t i : group) mean += y[i] / static_cast<double>(group.size());
    for (const size_t i : group) {
      variance += (y[i] - mean) * (y[i] - mean) / static_cast<double>(group.size());
    }
    EXPECT_NEAR(mean, 0, 1e-9);
    EXPECT_NEAR(variance, 1, tolerance);
  }
}

TEST(Normalization, LayerNormOverSeveralAxes) {
  Model m("m", DType::kF64);
  LayerNorm& norm = m.Add<LayerNorm>("norm", LayerNorm::Options{.axes = {1, 2}});
  m.Output("y", norm(m.Input("x", {kBatch, 2, 3})));
  EXPECT_EQ(m.num_parameters(), 12);
  ExpectStandard(Outputs(m, Counted({2, 2, 3})), {{0, 1, 2, 3, 4, 5}, {6, 7, 8, 9, 10, 11}}, 1e-3);
}

TEST(Normalization, GroupNormOfTheLastAxis) {
  Model m("m", DType::kF64);
  m.Output("y", m.Add<GroupNorm>("norm", 2)(m.Input("x", {kBatch, 2, 4})));
  EXPECT_EQ(m.num_parameters(), 8);
  ExpectStandard(Outputs(m, Counted({1, 2, 4})), {{0, 1, 4, 5}, {2, 3, 6, 7}}, 1e-3);
}

TEST(Normalization, WrongShapesAreRefused) {
  Model m("m");
  m.Output("y", m.Add<GroupNorm>("norm", 3)(m.Input("x", {kBatch, 4})));
  EXPECT_THAT(std::string(m.Check().message()), HasSubstr("is not 3 groups"));
  Model n("n");
  n.Output("y",
           n.Add<LayerNorm>("norm", LayerNorm::Options{.axes = {0}})(n.Input("x", {kBatch, 4})));
  EXPECT_THAT(std::string(n.Check().message()), HasSubstr("normalises axes [0]"));
}

// The weights of attention with all scores equal are the plain mean over what may be seen.
TEST(Attention, MasksSayWhatIsSeen) {
  constexpr int64_t kSteps = 4;
  for (const std::string kind : {"causal", "keys", "none"}) {
    Model m("m", DType::kF64);
    const Tensor x = m.Input("x", {kBatch, kSteps, 1});
    MultiHeadAttention& mha = m.Add<MultiHeadAttention>(
        "mha", 1, 1,
        MultiHeadAttention::Options{
            .causal = kind == "causal", .bias = false, .kernel_initializer = Ones()});
    Tensor mask;
    if (kind == "keys") mask = less(reshape(x, {kBatch, kSteps}), 2.5);
    // Queries of 0: all scores are 0. Values are x itself.
    m.Output("y", mha(zeros_like(x), x, {}, mask));
    const std::vector<double> y = Outputs(m, Counted({2, kSteps, 1}));
    ASSERT_EQ(y.size(), 8U);
    for (size_t b = 0; b < 2; ++b) {
      for (size_t t = 0; t < kSteps; ++t) {
        double sum = 0, n = 0;
        for (size_t s = 0; s < kSteps; ++s) {
          const auto value = static_cast<double>(b * kSteps + s);
          // The second sample's keys are all masked: the plain mean.
          const bool seen = kind == "causal"           ? s <= t
                            : kind == "keys" && b == 0 ? value < 2.5
                                                       : true;
          sum += seen ? value : 0;
          n += seen ? 1 : 0;
        }
        EXPECT_NEAR(y[b * kSteps + t], sum / n, 1e-12) << kind << " " << b << " " << t;
      }
    }
  }
}

TEST(Attention, SizesOfItsParameters) {
  Model m("m");
  const Tensor q = m.Input("q", {kBatch, 3, 10});
  const Tensor v = m.Input("v", {kBatch, 5, 6});
  MultiHeadAttention& mha = m.Add<MultiHeadAttention>(
      "mha", 2, 4, MultiHeadAttention::Options{.value_size = 3, .output = 7, .dropout = 0.1});
  const Tensor y = mha(q, v);
  EXPECT_EQ(ir::ToString(y.shape()), "[B, 3, 7]");
  EXPECT_EQ(m.num_parameters(), 10 * 8 + 8 + 6 * 8 + 8 + 6 * 6 + 6 + 6 * 7 + 7);
  m.Output("y", y);
  EXPECT_TRUE(Compile(m, {.optimizer = Adam{}}, {.cache_dir = ""}).ok());
}

// Of any number of steps: one compilation.
TEST(Attention, TimeMayBeASymbol) {
  Model m("m", DType::kF64);
  const Tensor x = m.Input("x", {kBatch, kTime, 4});
  m.Output("y",
           m.Add<MultiHeadAttention>("mha", 2, 2, MultiHeadAttention::Options{.causal = true})(x));
  auto t = Compile(m, {.loss = mean_squared_error}, {.cache_dir = ""});
  ASSERT_TRUE(t.ok()) << t.status();
  // A prefix sees no more than itself.
  const auto y3 = t->Predict(Samples(Counted({1, 3, 4}, 0, 0.1), Counted({1, 3, 4}))).value();
  const auto y5 = t->Predict(Samples(Counted({1, 5, 4}, 0, 0.1), Counted({1, 5, 4}))).value();
  for (size_t i = 0; i < 12; ++i) {
    EXPECT_NEAR(y3[0].data<double>()[i], y5[0].data<double>()[i], 1e-12) << i;
  }
}

Tensor TripledGradient(Tensor x) {
  return CustomGradient(
      {x}, [](std::span<const Tensor> in) { return in[0] * in[0]; },
      [](const Backward& b) { return Tensors{b.dy * b.x[0] * 6.0}; });
}

TEST(CustomGradient, IsWhatItsFunctionSays) {
  Model m("m", DType::kF64);
  const Tensor x = m.Input("x", {kBatch, 2});
  const Tensor y = TripledGradient(x);
  const Tensor first = Grad(reduce_sum(y), {x})[0];       // 6 x
  const Tensor second = Grad(reduce_sum(first), {x})[0];  // 6
  m.Output("y", concat({y, first, second}, 1));
  EXPECT_THAT(Outputs(m, Counted({1, 2}, 1, 1)), ElementsAre(1, 4, 6, 12, 6, 6));
}

TEST(CustomGradient, OfTheIdentityAndInTraining) {
  Sequential net("net", {kBatch, 1}, DType::kF64);
  net.Add<Dense>(1).Add<Lambda>([](Operand x) {
    return CustomGradient(
        {x.value()}, [](std::span<const Tensor> in) { return in[0]; },
        [](const Backward& b) { return Tensors{zeros_like(b.dy)}; });
  });
  auto t =
      Compile(net.model(), {.optimizer = SGD{1.0}, .loss = mean_squared_error}, {.cache_dir = ""});
  ASSERT_TRUE(t.ok()) << t.status();
  const double before = t->Parameter("dense.kernel")->data<double>()[0];
  const runtime::Tensor x = Counted({3, 1}, 1), y = Counted({3, 1}, 9);
  const std::vector<runtime::TensorView> inputs = {x}, targets = {y};
  ASSERT_TRUE(t->TrainStep(inputs, targets).ok());
  EXPECT_EQ(t->Parameter("dense.kernel")->data<double>()[0], before);
}

TEST(CustomGradient, WrongGradientsAreRefused) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 2});
  m.Output("y", CustomGradient(
                    {x}, [](std::span<const Tensor> in) { return exp(in[0]); },
                    [](const Backward&) { return Tensors{}; }));
  EXPECT_THAT(std::string(m.Check().message()),
              HasSubstr("gives 0 tensors, expected one for each of 1"));
  Model n("n");
  const Tensor z = n.Input("x", {kBatch, 2});
  n.Output("y", CustomGradient(
                    {z}, [](std::span<const Tensor> in) { return exp(in[0]); },
                    [&](const Backward&) { return Tensors{z}; }));
  EXPECT_THAT(std::string(n.Check().message()), HasSubstr("made of tensors from outside of it"));
}

}  // namespace
}  // namespace gradus
