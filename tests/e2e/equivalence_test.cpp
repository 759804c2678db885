// What must come out the same: with passes and without, with one thread and with two, by the
// gradient's gradient and by finite differences; and graphs of 10,000 nodes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "fmt/format.h"
#include "frontend/data/philox.h"
#include "frontend/gradus.h"
#include "runtime/thread_pool.h"

namespace gradus {
namespace {

template <typename T>
runtime::Tensor Normal(std::vector<int64_t> shape, uint64_t stream) {
  data::PhiloxStream random(7, stream);
  runtime::Tensor t = runtime::Tensor::Create(runtime::kDTypeOf<T>, std::move(shape)).value();
  for (T& v : t.data<T>()) v = static_cast<T>(random.Normal());
  return t;
}

template <typename T>
data::Dataset MakeData(int64_t samples, int64_t features, int64_t outputs) {
  std::vector<data::NamedTensor> inputs, targets;
  inputs.push_back({"x", Normal<T>({samples, features}, 1)});
  runtime::Tensor y = Normal<T>({samples, outputs}, 2);
  for (T& v : y.data<T>()) v = v > 0 ? T{1} : T{0};
  targets.push_back({"y", std::move(y)});
  return data::Dataset::Create(std::move(inputs), std::move(targets)).value();
}

struct Network {
  const char* name;
  int64_t features, hidden, outputs;
  Activation inner, outer;
  TrainingOptions training;
};

template <typename T>
absl::StatusOr<Trainer> MakeTrainer(const Network& n, const char* pipeline) {
  Model m(n.name, std::is_same_v<T, double> ? DType::kF64 : DType::kF32);
  Tensor x = m.Input("x", {kBatch, n.features});
  x = m.Add<Dense>("first", n.hidden, n.inner)(x);
  x = m.Add<Dense>("second", n.hidden, n.inner)(x);
  m.Output("y", m.Add<Dense>("last", n.outputs, n.outer)(x));
  return Compile(m, n.training, {.pipeline = pipeline, .cache_dir = ""});
}

FitOptions Quiet(int64_t epochs) {
  FitOptions options;
  options.epochs = epochs;
  options.batch_size = 13;  // the last batch of 60 is smaller
  options.progress = ProgressMode::kOff;
  return options;
}

template <typename T>
std::vector<T> Weights(const Trainer& t) {
  std::vector<T> all;
  for (const std::string& name : t.ParameterNames()) {
    const auto values = t.Parameter(name)->data<T>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

// Trains both ways and compares weights and losses. Adam divides by the gradient's size, so that
// weights whose gradient is rounding alone may move apart by the learning rate: `tolerance` is
// absolute.
template <typename T>
void ExpectSameTraining(const Network& n, double tolerance) {
  SCOPED_TRACE(n.name);
  auto with = MakeTrainer<T>(n, "default"), without = MakeTrainer<T>(n, "none");
  ASSERT_TRUE(with.ok()) << with.status();
  ASSERT_TRUE(without.ok()) << without.status();
  const data::Dataset data = MakeData<T>(60, n.features, n.outputs);
  const auto a = with->Fit(data, Quiet(3)), b = without->Fit(data, Quiet(3));
  ASSERT_TRUE(a.ok()) << a.status();
  ASSERT_TRUE(b.ok()) << b.status();
  for (size_t e = 0; e < 3; ++e) {
    EXPECT_NEAR(a->epochs[e].training.loss, b->epochs[e].training.loss,
                tolerance * (1 + b->epochs[e].training.loss));
    // A decision that rounding turned would be far more than this.
    for (size_t m = 0; m < a->metric_names.size(); ++m) {
      EXPECT_NEAR(a->epochs[e].training.metrics[m], b->epochs[e].training.metrics[m],
                  10 * tolerance * (1 + std::abs(b->epochs[e].training.metrics[m])))
          << a->metric_names[m];
    }
  }
  const std::vector<T> x = Weights<T>(*with), y = Weights<T>(*without);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) worst = std::max<double>(worst, std::abs(x[i] - y[i]));
  EXPECT_LE(worst, tolerance);
}

std::vector<Network> Networks() {
  return {
      {"tanh_sgd", 5, 7, 1, tanh, linear, {.optimizer = SGD(0.05), .loss = mean_squared_error}},
      {"relu_adam",
       12,
       64,
       1,
       relu,
       sigmoid,
       {.optimizer = Adam{}, .loss = binary_crossentropy, .metrics = {accuracy}}},
      {"gelu_logits",
       9,
       33,
       3,
       gelu,
       linear,
       {.optimizer = SGD(0.05), .loss = binary_crossentropy_from_logits}},
      {"softplus_softmax",
       4,
       16,
       5,
       softplus,
       softmax,
       {.optimizer = SGD(0.02), .loss = categorical_crossentropy}},
      {"silu_huber",
       17,
       3,
       2,
       silu,
       elu,
       {.optimizer = Adam({.epsilon_form = AdamEpsilon::kUsual}), .loss = Loss(huber, 0.5)}},
      {"every_option",
       8,
       12,
       1,
       tanh,
       sigmoid,
       {.optimizer = RMSprop({.momentum = 0.9, .epsilon = 1e-2, .centered = true}),
        .loss = Loss(binary_crossentropy).WithLabelSmoothing(0.1).WithClassWeights({1, 2}),
        .metrics = {auc, pr_auc, precision, F1At(0.3), ConfusionMatrix(2)},
        .regularizers = {L1L2(1e-3, 1e-2), L2(0.1).For("last.bias")},
        .schedule = Warmup(3) * After(3, CosineDecay(20, 0.1)),
        .clipping = ClipByGlobalNorm(0.1),
        .accumulate_batches = 2,
        .average_decay = 0.9,
        .record_norms = true}},
      {"classes_adamw",
       8,
       12,
       5,
       relu,
       linear,
       {.optimizer = AdamW({.epsilon = 1e-2, .amsgrad = true}),
        .loss = Loss(categorical_crossentropy_from_logits).WithLabelSmoothing(0.1),
        .metrics = {accuracy, TopKAccuracy(2), ConfusionMatrix(5), mae, r2},
        .clipping = ClipByNorm(0.05)}},
  };
}

TEST(Equivalence, TrainingWithAndWithoutPassesInF64) {
  for (const Network& n : Networks()) ExpectSameTraining<double>(n, 1e-11);
}

TEST(Equivalence, TrainingWithAndWithoutPassesInF32) {
  for (const Network& n : Networks()) ExpectSameTraining<float>(n, 2e-5);
}

TEST(Equivalence, TrainingDoesNotDependOnThreads) {
  const Network wide = {
      "wide", 96, 256, 8, relu, linear, {.optimizer = Adam{}, .loss = mean_squared_error}};
  const data::Dataset data = MakeData<float>(200, wide.features, wide.outputs);
  auto trainer = MakeTrainer<float>(wide, "default");
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  FitOptions options = Quiet(2);
  options.batch_size = 64;
  std::vector<std::vector<float>> weights;
  for (const int threads : {1, 2, 3, 1}) {
    auto pool = runtime::ThreadPool::Create(threads);
    ASSERT_TRUE(pool.ok()) << pool.status();
    trainer->SetThreads((*pool)->threads());
    ASSERT_TRUE(trainer->Reset(3).ok());
    ASSERT_TRUE(trainer->Fit(data, options).ok());
    weights.push_back(Weights<float>(*trainer));
    trainer->SetThreads(nullptr);
  }
  for (size_t i = 1; i < weights.size(); ++i) EXPECT_TRUE(weights[i] == weights[0]) << "run " << i;
}

// d/dw (gradient . direction) is the Hessian times the direction; here against (g(w + e d) - g(w -
// e d)) / 2e.
TEST(Equivalence, AHessianVectorProductIsTheGradientsDifference) {
  Graph g("hvp", DType::kF64);
  const Tensor x = g.Input("x", {kBatch, 4}), target = g.Input("target", {kBatch, 2});
  const Tensor w1 = g.Input("w1", {4, 6}), b1 = g.Input("b1", {6}), w2 = g.Input("w2", {6, 2});
  const Tensor d1 = g.Input("d1", {4, 6}), db = g.Input("db", {6}), d2 = g.Input("d2", {6, 2});
  const Tensor loss = mean_squared_error(target, matmul(tanh(matmul(x, w1) + b1), w2));
  const std::vector<Tensor> gradient = Grad(loss, {w1, b1, w2});
  const Tensor along =
      reduce_sum(gradient[0] * d1) + reduce_sum(gradient[1] * db) + reduce_sum(gradient[2] * d2);
  const std::vector<Tensor> product = Grad(along, {w1, b1, w2});
  for (size_t i = 0; i < 3; ++i) {
    g.Output(fmt::format("g{}", i), gradient[i]);
    g.Output(fmt::format("h{}", i), product[i]);
  }
  auto f = Compile(g, {.cache_dir = ""});
  ASSERT_TRUE(f.ok()) << f.status();
  const std::vector<std::vector<int64_t>> shapes = {{9, 4}, {9, 2}, {4, 6}, {6},
                                                    {6, 2}, {4, 6}, {6},    {6, 2}};
  const auto run = [&](double step) {
    std::vector<runtime::Tensor> in;
    for (size_t i = 0; i < shapes.size(); ++i) in.push_back(Normal<double>(shapes[i], 10 + i));
    for (size_t i = 2; i < 5; ++i) {
      for (size_t k = 0; k < in[i].data<double>().size(); ++k)
        in[i].data<double>()[k] += step * in[i + 3].data<double>()[k];
    }
    return f->Run(std::move(in)).value();
  };
  constexpr double kStep = 1e-5;
  const auto here = run(0), ahead = run(kStep), behind = run(-kStep);
  double largest = 0;
  for (size_t p = 0; p < 3; ++p) {
    const auto want_a = ahead[2 * p].data<double>(), want_b = behind[2 * p].data<double>();
    const auto got = here[2 * p + 1].data<double>();
    for (size_t k = 0; k < got.size(); ++k) {
      const double want = (want_a[k] - want_b[k]) / (2 * kStep);
      largest = std::max(largest, std::abs(want));
      EXPECT_NEAR(got[k], want, 1e-8 * (1 + std::abs(want))) << p << ", " << k;
    }
  }
  EXPECT_GT(largest, 0.01);
}

// y = (y + x) * c, five thousand times.
TEST(Chain, TenThousandNodesAreDifferentiatedAndCompiled) {
  constexpr int kNodes = 10'000;
  Graph g("chain");
  const Tensor x = g.Input("x", {kBatch, 4}), c = g.Input("c", {kBatch, 4});
  Tensor y = x;
  for (int i = 0; i < kNodes; ++i) y = i % 2 == 0 ? y + x : y * c;
  ASSERT_EQ(g.function().nodes().size(), static_cast<size_t>(kNodes));
  const auto start = std::chrono::steady_clock::now();
  g.Output("dx", Grad(reduce_sum(y), {x})[0]);
  g.Output("y", y);
  auto f = Compile(g, {.cache_dir = ""});
  ASSERT_TRUE(f.ok()) << f.status();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("{} nodes and their gradient compiled in {:.2f} s\n", kNodes, seconds);
  const std::vector<float> xs = {0, 1, -2, 3}, cs = {0.5F, 0.75F, -0.25F, 0.9375F};
  std::vector<runtime::Tensor> in;
  in.push_back(runtime::Tensor::FromVector<float>({1, 4}, xs).value());
  in.push_back(runtime::Tensor::FromVector<float>({1, 4}, cs).value());
  const auto out = f->Run(std::move(in));
  ASSERT_TRUE(out.ok()) << out.status();
  for (size_t k = 0; k < 4; ++k) {
    double value = xs[k], slope = 1;
    for (int i = 0; i < kNodes; ++i) {
      value = i % 2 == 0 ? value + xs[k] : value * cs[k];
      slope = i % 2 == 0 ? slope + 1 : slope * cs[k];
    }
    EXPECT_NEAR((*out)[0].data<float>()[k], slope, 1e-5 * std::abs(slope)) << k;
    EXPECT_NEAR((*out)[1].data<float>()[k], value, 1e-5 * std::abs(value)) << k;
  }
}

}  // namespace
}  // namespace gradus
