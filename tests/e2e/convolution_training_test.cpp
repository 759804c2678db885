// Networks that slide: training with passes and without, in which sums run in another order alone,
// and on two threads, where nothing may differ.

#include <gtest/gtest.h>

#include <cmath>

#include "frontend/data/philox.h"
#include "frontend/gradus.h"
#include "runtime/thread_pool.h"

namespace gradus {
namespace {

using O = ConvolutionLayerOptions;

struct Network {
  const char* name;
  std::vector<int64_t> sample;  // the shape of one
  Tensor (*build)(Model&, Tensor);
};

Tensor Signal(Model& m, Tensor h) {
  h = m.Add<Conv1D>("one", 20, 3, O{.activation = tanh, .padding = Padding::Same()})(h);
  h = m.Add<MaxPooling1D>("pool", 1)(h);
  h = m.Add<Conv1D>("two", 33, 5,
                    O{.activation = elu, .strides = 2, .padding = Padding::Same()})(h);
  h = m.Add<Conv1D>("dilated", 16, 3, O{.dilation = 2})(h);
  return m.Add<Flatten>("flat")(m.Add<AveragePooling1D>("mean", 2)(tanh(h)));
}

Tensor Image(Model& m, Tensor h) {
  h = m.Add<Conv2D>("one", 6, 5, O{.activation = tanh, .padding = Padding::Same()})(h);
  h = m.Add<MaxPooling2D>("pool1", 2)(h);
  h = m.Add<Conv2D>("grouped", 12, 3, O{.activation = tanh, .groups = 2})(h);
  h = m.Add<DepthwiseConv2D>("depthwise", 3, 2, O{.strides = 2, .padding = Padding::Same()})(h);
  h = m.Add<MaxPooling2D>("pool2", 3,
                          PoolingLayerOptions{.strides = 2, .padding = Padding::Same()})(tanh(h));
  return m.Add<GlobalAveragePooling2D>("mean")(h);
}

Tensor Autoencoder(Model& m, Tensor h) {
  using T = TransposedConvolutionLayerOptions;
  h = m.Add<Conv2D>("down", 17, 3,
                    O{.activation = tanh, .strides = 2, .padding = Padding::Same()})(h);
  h = m.Add<Conv2DTranspose>("up", 5, 3,
                             T{.activation = tanh, .strides = 2, .padding = Padding::Same()})(h);
  return m.Add<Flatten>("flat")(h);
}

Tensor OverTime(Model& m, Tensor h) {
  h = m.Add<Conv1D>("each", 18, 3, O{.activation = tanh, .padding = Padding::Same()})(h);
  h = m.Add<GlobalMaxPooling1D>("largest")(h);
  return m.Add<LSTM>("lstm", 7)(h);
}

const Network kNetworks[] = {{"signal", {12, 2}, Signal},
                             {"image", {10, 9, 3}, Image},
                             {"autoencoder", {7, 8, 2}, Autoencoder},
                             {"over_time", {4, 12, 1}, OverTime}};

template <typename T>
runtime::Tensor Normal(std::vector<int64_t> shape, uint64_t stream) {
  data::PhiloxStream random(11, stream);
  runtime::Tensor t = runtime::Tensor::Create(runtime::kDTypeOf<T>, std::move(shape)).value();
  for (T& v : t.data<T>()) v = static_cast<T>(random.Normal());
  return t;
}

template <typename T>
absl::StatusOr<Trainer> MakeTrainer(const Network& n, const char* pipeline) {
  Model m(n.name, std::is_same_v<T, double> ? DType::kF64 : DType::kF32);
  Shape shape = {kBatch};
  for (const int64_t size : n.sample) shape.push_back(size);
  m.Output("y", m.Add<Dense>("last", 2)(n.build(m, m.Input("x", shape))));
  return Compile(m, {.optimizer = SGD(0.05), .loss = mean_squared_error},
                 {.pipeline = pipeline, .cache_dir = ""});
}

template <typename T>
absl::StatusOr<std::vector<T>> WeightsAfterTraining(const Network& n, Trainer& trainer) {
  std::vector<int64_t> shape = {30};
  shape.insert(shape.end(), n.sample.begin(), n.sample.end());
  std::vector<data::NamedTensor> inputs, targets;
  inputs.push_back({"x", Normal<T>(shape, 1)});
  targets.push_back({"y", Normal<T>({30, 2}, 2)});
  const auto data = data::Dataset::Create(std::move(inputs), std::move(targets));
  FitOptions options;
  options.epochs = 2;
  options.batch_size = 13;  // the last batch of 30 is smaller
  options.progress = ProgressMode::kOff;
  const auto history = trainer.Fit(*data, options);
  if (!history.ok()) return history.status();
  std::vector<T> all;
  for (const std::string& name : trainer.ParameterNames()) {
    const auto values = trainer.Parameter(name)->template data<T>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

template <typename T>
void ExpectSameTraining(double tolerance) {
  for (const Network& n : kNetworks) {
    SCOPED_TRACE(n.name);
    auto with = MakeTrainer<T>(n, "default"), without = MakeTrainer<T>(n, "none");
    ASSERT_TRUE(with.ok()) << with.status();
    ASSERT_TRUE(without.ok()) << without.status();
    const auto a = WeightsAfterTraining<T>(n, *with), b = WeightsAfterTraining<T>(n, *without);
    ASSERT_TRUE(a.ok()) << a.status();
    ASSERT_TRUE(b.ok()) << b.status();
    ASSERT_EQ(a->size(), b->size());
    double worst = 0;
    for (size_t i = 0; i < a->size(); ++i) {
      worst = std::max<double>(worst, std::abs((*a)[i] - (*b)[i]));
    }
    EXPECT_LE(worst, tolerance);
  }
}

TEST(ConvolutionTraining, WithAndWithoutPassesInF64) { ExpectSameTraining<double>(1e-12); }
TEST(ConvolutionTraining, WithAndWithoutPassesInF32) { ExpectSameTraining<float>(2e-5); }

TEST(ConvolutionTraining, DoesNotDependOnThreads) {
  for (const Network& n : kNetworks) {
    SCOPED_TRACE(n.name);
    auto one = MakeTrainer<float>(n, "default"), two = MakeTrainer<float>(n, "default");
    ASSERT_TRUE(one.ok()) << one.status();
    ASSERT_TRUE(two.ok()) << two.status();
    auto pool = runtime::ThreadPool::Create(2);
    ASSERT_TRUE(pool.ok()) << pool.status();
    two->SetThreads((*pool)->threads());
    const auto a = WeightsAfterTraining<float>(n, *one), b = WeightsAfterTraining<float>(n, *two);
    ASSERT_TRUE(a.ok() && b.ok());
    EXPECT_TRUE(*a == *b);
    two->SetThreads(nullptr);
  }
}

}  // namespace
}  // namespace gradus
