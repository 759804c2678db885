#include "frontend/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "frontend/data/philox.h"
#include "frontend/gradus.h"
#include "runtime/float_mode.h"
#include "tests/unit/runtime/allocation_counter.h"

namespace gradus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Two classes: is the sum of three numbers positive?
data::Dataset MakeData(int64_t samples, uint64_t seed) {
  data::PhiloxStream random(seed);
  std::vector<float> x, y;
  for (int64_t i = 0; i < samples; ++i) {
    double sum = 0;
    for (int k = 0; k < 3; ++k) {
      x.push_back(static_cast<float>(random.Normal()));
      sum += x.back();
    }
    y.push_back(sum > 0 ? 1.0F : 0.0F);
  }
  std::vector<data::NamedTensor> inputs, targets;
  inputs.push_back({"x", runtime::Tensor::FromVector<float>({samples, 3}, x).value()});
  targets.push_back({"y", runtime::Tensor::FromVector<float>({samples, 1}, y).value()});
  return data::Dataset::Create(std::move(inputs), std::move(targets)).value();
}

void AddNetwork(Model& m) {
  const Tensor x = m.Input("x", {kBatch, 3});
  const Tensor h = m.Add<Dense>("hidden", 8, tanh)(x);
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(h));
}

absl::StatusOr<Trainer> MakeTrainer() {
  Model m("sums");
  AddNetwork(m);
  return Compile(m,
                 {.optimizer = Adam({.learning_rate = 0.02}),
                  .loss = binary_crossentropy,
                  .metrics = {accuracy, binary_accuracy}},
                 {.cache_dir = ""});
}

class TrainerTest : public ::testing::Test {
 protected:
  // One compilation for all tests; each starts from the weights of seed 0.
  static void SetUpTestSuite() { trainer_ = new auto(MakeTrainer()); }
  static void TearDownTestSuite() { delete trainer_; }
  void SetUp() override {
    ASSERT_TRUE(trainer_->ok()) << trainer_->status();
    ASSERT_TRUE(trainer().Reset(0).ok());
  }
  static Trainer& trainer() { return **trainer_; }
  static FitOptions Quiet(int64_t epochs, int64_t batch_size) {
    FitOptions options;
    options.epochs = epochs;
    options.batch_size = batch_size;
    options.progress = ProgressMode::kOff;
    return options;
  }
  static std::vector<float> Weights() {
    std::vector<float> all;
    for (const std::string& name : trainer().ParameterNames()) {
      const auto values = trainer().Parameter(name)->data<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }
  static absl::StatusOr<Trainer>* trainer_;
};
absl::StatusOr<Trainer>* TrainerTest::trainer_ = nullptr;

TEST_F(TrainerTest, LearnsAndKeepsAHistory) {
  const data::Dataset train = MakeData(250, 1), test = MakeData(100, 2);
  FitOptions options = Quiet(12, 32);
  options.validation = &test;
  const auto before = trainer().Evaluate(test);
  const auto history = trainer().Fit(train, options);
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_THAT(history->metric_names, ElementsAre("accuracy", "binary_accuracy"));
  ASSERT_THAT(history->epochs, SizeIs(12));
  for (size_t i = 0; i < history->epochs.size(); ++i) {
    const EpochRecord& e = history->epochs[i];
    EXPECT_EQ(e.epoch, static_cast<int64_t>(i) + 1);
    EXPECT_TRUE(std::isfinite(e.training.loss));
    EXPECT_GE(e.seconds, 0);
    ASSERT_TRUE(e.validation.has_value());
    EXPECT_THAT(e.validation->metrics, SizeIs(2));
  }
  EXPECT_LT(history->epochs.back().training.loss, 0.5 * history->epochs.front().training.loss);
  const auto after = trainer().Evaluate(test);
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_LT(after->loss, 0.5 * before->loss);
  EXPECT_GT(after->metrics[0], 0.9);
  EXPECT_EQ(after->loss, history->epochs.back().validation->loss);
}

TEST_F(TrainerTest, TheSameSeedsGiveTheSameBits) {
  const data::Dataset train = MakeData(70, 3);
  ASSERT_TRUE(trainer().Fit(train, Quiet(3, 16)).ok());
  const std::vector<float> first = Weights();
  ASSERT_TRUE(trainer().Reset(0).ok());
  ASSERT_TRUE(trainer().Fit(train, Quiet(3, 16)).ok());
  EXPECT_EQ(Weights(), first);
  ASSERT_TRUE(trainer().Reset(1).ok());
  ASSERT_TRUE(trainer().Fit(train, Quiet(3, 16)).ok());
  EXPECT_NE(Weights(), first);
}

TEST_F(TrainerTest, ASmallerLastBatchIsEvaluatedAndPredicted) {
  const data::Dataset data = MakeData(23, 4);
  const auto whole = trainer().Evaluate(data, 23);
  const auto parts = trainer().Evaluate(data, 5);
  ASSERT_TRUE(whole.ok()) << whole.status();
  ASSERT_TRUE(parts.ok()) << parts.status();
  EXPECT_NEAR(parts->loss, whole->loss, 1e-6);
  EXPECT_NEAR(parts->metrics[0], whole->metrics[0], 1e-6);
  const auto all = trainer().Predict(data, 23);
  const auto pieces = trainer().Predict(data, 5);
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  ASSERT_THAT(*pieces, SizeIs(1));
  EXPECT_THAT((*pieces)[0].shape(), ElementsAre(23, 1));
  for (size_t i = 0; i < 23; ++i) {
    EXPECT_NEAR((*pieces)[0].data<float>()[i], (*all)[0].data<float>()[i], 1e-6) << i;
  }
}

// The forward pass, computed here.
TEST_F(TrainerTest, PredictionsAreTheFormulas) {
  const data::Dataset data = MakeData(9, 5);
  const auto p = trainer().Predict(data);
  ASSERT_TRUE(p.ok()) << p.status();
  const auto x = data.inputs()[0].tensor.data<float>();
  const auto w1 = trainer().Parameter("hidden.kernel")->data<float>(),
             b1 = trainer().Parameter("hidden.bias")->data<float>();
  const auto w2 = trainer().Parameter("out.kernel")->data<float>(),
             b2 = trainer().Parameter("out.bias")->data<float>();
  for (size_t i = 0; i < 9; ++i) {
    double z = b2[0];
    for (size_t h = 0; h < 8; ++h) {
      double a = b1[h];
      for (size_t k = 0; k < 3; ++k) a += static_cast<double>(x[i * 3 + k]) * w1[k * 8 + h];
      z += std::tanh(a) * w2[h];
    }
    EXPECT_NEAR((*p)[0].data<float>()[i], 1 / (1 + std::exp(-z)), 1e-6) << i;
  }
}

// Squares of tiny gradients, which Adam keeps, are subnormal numbers.
TEST_F(TrainerTest, SubnormalNumbersAreKeptUnlessTheyAreFlushed) {
  if (runtime::kFlushesSubnormals == 0) GTEST_SKIP() << "this processor has no mode without them";
  const std::vector<float> x(size_t{3} * 16, 1e-18F), y(16, 1.0F);
  const data::Dataset data =
      data::Dataset::Of({"x", runtime::Tensor::FromVector<float>({16, 3}, x).value()},
                        {"y", runtime::Tensor::FromVector<float>({16, 1}, y).value()})
          .value();
  const auto subnormals = [&](bool flush) {
    EXPECT_TRUE(trainer().Reset(0).ok());
    FitOptions options = Quiet(2, 16);
    options.flush_subnormals = flush;
    EXPECT_TRUE(trainer().Fit(data, options).ok());
    int64_t count = 0;
    for (const runtime::NamedTensorView& v : trainer().StateViews()) {
      if (v.tensor.dtype != runtime::DType::kF32) continue;
      const int64_t bytes = runtime::DenseBytes(v.tensor.dtype, v.tensor.shape).value();
      const std::span values(static_cast<const float*>(v.tensor.data),
                             static_cast<size_t>(bytes) / 4);
      count += std::ranges::count_if(
          values, [](float value) { return std::fpclassify(value) == FP_SUBNORMAL; });
    }
    return count;
  };
  EXPECT_GT(subnormals(false), 0);
  EXPECT_EQ(subnormals(true), 0);
}

TEST_F(TrainerTest, StepsAllocateNothing) {
  const data::Dataset data = MakeData(48, 6);
  auto batches = data::Batches::Create(data, {.batch_size = 32, .shuffle = false}).value();
  const auto run_epoch = [&] {
    batches.StartEpoch(1);
    while (batches.Next()) {
      const auto e = trainer().TrainStep(batches.inputs(), batches.targets());
      ASSERT_TRUE(e.ok()) << e.status();
      ASSERT_TRUE(std::isfinite(e->loss));
    }
  };
  run_epoch();  // binds memory, for both sizes of batch
  EXPECT_EQ(gradus::testing::CountAllocations(run_epoch), 0);
}

TEST_F(TrainerTest, TheForwardPassAllocatesNothing) {
  Model m("forward_only");
  AddNetwork(m);
  auto module = BuildInferenceModule(m);
  ASSERT_TRUE(module.ok()) << module.status();
  auto entries = CompileModule(**module, {.cache_dir = ""});
  ASSERT_TRUE(entries.ok()) << entries.status();
  for (codegen::LoadedEntry& entry : *entries) {
    if (entry.name != "forward") continue;
    BoundEntry forward(entry.executable);
    std::vector<runtime::Tensor> tensors;
    for (int i = 0; i < forward.executable().info().argument_count; ++i) {
      const gradus_tensor_info& info = forward.executable().info().arguments[i];
      std::vector<int64_t> shape;
      for (int k = 0; k < info.rank; ++k)
        shape.push_back(info.dims[k].symbol >= 0 ? 7 : info.dims[k].size);
      tensors.push_back(runtime::Tensor::Zeros(runtime::DType::kF32, shape).value());
    }
    const std::vector<runtime::TensorView> arguments(tensors.begin(), tensors.end());
    auto out = runtime::Tensor::Zeros(runtime::DType::kF32, {7, 1}).value();
    const std::vector<runtime::MutableTensorView> results = {out};
    ASSERT_TRUE(forward.Run(arguments, results, nullptr).ok());
    EXPECT_EQ(gradus::testing::CountAllocations(
                  [&] { ASSERT_TRUE(forward.Run(arguments, results, nullptr).ok()); }),
              0);
    EXPECT_EQ(out.data<float>()[6], 0.5F);
    return;
  }
  FAIL() << "no entry forward";
}

TEST_F(TrainerTest, SummarySaysLayersParametersAndArena) {
  const std::string text = trainer().SummaryText();
  EXPECT_THAT(text, HasSubstr("Model \"sums\"\n"
                              " layer   type   output  params  fused into\n"
                              " x       input  [B, 3]       0\n"
                              " hidden  dense  [B, 8]      32  hidden_matmul_tanh\n"
                              " out     dense  [B, 1]       9  out_matmul_sigmoid\n"
                              " total 41 params (164 B), arena at batch 32: "));
  EXPECT_THAT(text, HasSubstr(" forward, "));
  EXPECT_THAT(text, ::testing::ContainsRegex(
                        " training, live lower bound [0-9.]+ [KM]?i?B \\(1\\.[0-9]+\\)\n"));
}

TEST_F(TrainerTest, ParametersCanBeReadAndSet) {
  EXPECT_THAT(trainer().ParameterNames(),
              ElementsAre("hidden.kernel", "hidden.bias", "out.kernel", "out.bias"));
  EXPECT_EQ(trainer().num_parameters(), 41);
  const auto bias = runtime::Tensor::FromVector<float>({1}, {100}).value();
  ASSERT_TRUE(trainer().SetParameter("out.bias", bias).ok());
  EXPECT_EQ(trainer().Parameter("out.bias")->data<float>()[0], 100);
  const auto p = trainer().Predict(MakeData(2, 7));
  ASSERT_TRUE(p.ok());
  EXPECT_EQ((*p)[0].data<float>()[0], 1);
  EXPECT_EQ(trainer().Parameter("out.biass"), nullptr);
  EXPECT_THAT(std::string(trainer().SetParameter("out.biass", bias).message()),
              HasSubstr("there is no parameter out.biass; there are hidden.kernel, hidden.bias, "
                        "out.kernel, out.bias"));
  EXPECT_THAT(std::string(trainer().SetParameter("out.kernel", bias).message()),
              HasSubstr("parameter out.kernel: expected f32 [8, 1], got f32 [1]"));
}

TEST_F(TrainerTest, TheLearningRateCanChange) {
  const data::Dataset data = MakeData(8, 8);
  const double usual = trainer().learning_rate();
  EXPECT_EQ(usual, 0.02);
  trainer().SetLearningRate(0);
  const std::vector<float> before = Weights();
  ASSERT_TRUE(trainer().Fit(data, Quiet(1, 8)).ok());
  EXPECT_EQ(Weights(), before);
  trainer().SetLearningRate(usual);
  ASSERT_TRUE(trainer().Fit(data, Quiet(1, 8)).ok());
  EXPECT_NE(Weights(), before);
}

// Linear regression by hand: w -= rate * 2/n sum (x w + b - y) x.
TEST(Training, OneStepOfSgdIsTheFormula) {
  Model m("line", DType::kF64);
  const Tensor x = m.Input("x", {kBatch, 1});
  const Tensor w = m.Parameter("w", {1, 1}, Constant(0.5)), b = m.Parameter("b", {1}, Constant(-1));
  m.Output("y", matmul(x, w) + b);
  auto trainer = Compile(m, {.optimizer = SGD(0.1), .loss = mean_squared_error}, {.cache_dir = ""});
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  const std::vector<double> xs = {1, -2, 3}, ys = {2, 0.5, -1};
  const auto xt = runtime::Tensor::FromVector<double>({3, 1}, xs).value();
  const auto yt = runtime::Tensor::FromVector<double>({3, 1}, ys).value();
  double loss = 0, dw = 0, db = 0;
  for (size_t i = 0; i < 3; ++i) {
    const double e = 0.5 * xs[i] - 1 - ys[i];
    loss += e * e / 3;
    dw += 2 * e * xs[i] / 3;
    db += 2 * e / 3;
  }
  const std::vector<runtime::TensorView> inputs = {xt}, targets = {yt};
  const auto step = trainer->TrainStep(inputs, targets);
  ASSERT_TRUE(step.ok()) << step.status();
  EXPECT_NEAR(step->loss, loss, 1e-14);
  EXPECT_NEAR(trainer->Parameter("w")->data<double>()[0], 0.5 - 0.1 * dw, 1e-14);
  EXPECT_NEAR(trainer->Parameter("b")->data<double>()[0], -1 - 0.1 * db, 1e-14);
}

TEST(Training, AnArenaThatIsTooLargeIsAnErrorThatNamesTheLayers) {
  Model m("wide");
  const Tensor h = m.Add<Dense>("hidden", 512, tanh)(m.Input("x", {kBatch, 3}));
  m.Output("y", m.Add<Dense>("out", 1)(h));
  const TrainingOptions training{.optimizer = SGD(0.1), .loss = mean_squared_error};
  const auto limited = [&](int64_t bytes) {
    return Compile(m, training, {.cache_dir = "", .sizes = {{"B", 64}}, .max_arena = bytes})
        .status();
  };
  const absl::Status status = limited(1000);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("trainer_test.cpp:"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(" bytes at B = 64, "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("hidden (trainer_test.cpp:"));
  EXPECT_EQ(limited(1 << 20), absl::OkStatus());
}

TEST(TrainerWithEveryOption, AllocatesNothingInAStep) {
  Model m("sums");
  AddNetwork(m);
  auto trainer = Compile(m,
                         {.optimizer = RMSprop({.momentum = 0.9, .centered = true}),
                          .loss = Loss(binary_crossentropy).WithClassWeights({1, 3}),
                          .metrics = {auc, pr_auc, precision, r2, ConfusionMatrix(2)},
                          .weighted_metrics = {accuracy},
                          .sample_weights = true,
                          .regularizers = {L1(1e-3)},
                          .schedule = Warmup(10) * CosineDecay(100),
                          .clipping = ClipByNorm(1),
                          .accumulate_batches = 2,
                          .average_decay = 0.9,
                          .record_norms = true},
                         {.cache_dir = ""});
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  const data::Dataset data = MakeData(16, 3);
  const auto ones = runtime::Tensor::FromVector<float>({16}, std::vector<float>(16, 1)).value();
  const std::vector<runtime::TensorView> inputs = {data.inputs()[0].tensor};
  const std::vector<runtime::TensorView> targets = {data.targets()[0].tensor, ones};
  bool good = true;
  const auto run = [&] {
    for (int i = 0; i < 4; ++i) {
      const auto e = trainer->TrainStep(inputs, targets);
      good = good && e.ok() && std::isfinite(e->loss);
    }
  };
  run();
  EXPECT_EQ(gradus::testing::CountAllocations(run), 0);
  EXPECT_TRUE(good);
}

}  // namespace
}  // namespace gradus
