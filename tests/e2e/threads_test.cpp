// Training on several threads: the same weights, bit for bit, as on one, and no allocation in a
// step. For a machine on which the least work is worth sharing, so that small networks are shared
// in every way that large ones are; as many steps as GRADUS_THREAD_STEPS says.

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "frontend/data/philox.h"
#include "frontend/gradus.h"
#include "runtime/thread_pool.h"
#include "tests/unit/runtime/allocation_counter.h"

namespace gradus {
namespace {

int64_t Steps() {
  const char* given = std::getenv("GRADUS_THREAD_STEPS");
  return given == nullptr ? 60 : std::atoll(given);
}

struct Network {
  const char* name;
  std::vector<int64_t> sample;  // the shape of one
  Tensor (*build)(Model&, Tensor);
};

const Network kNetworks[] = {
    {"mlp",
     {19},
     [](Model& m, Tensor h) {
       h = m.Add<Dense>("one", 40, relu)(h);
       return m.Add<Dense>("two", 33, tanh)(h);
     }},
    {"cnn",
     {11, 2},
     [](Model& m, Tensor h) {
       h = m.Add<Conv1D>("one", 18, 3,
                         Conv1D::Options{.activation = relu, .padding = Padding::Same()})(h);
       h = m.Add<MaxPooling1D>("pool")(h);
       h = m.Add<Conv1D>("two", 9, 3, Conv1D::Options{.activation = tanh})(h);
       return m.Add<Flatten>("flat")(h);
     }},
    {"lstm", {7, 5}, [](Model& m, Tensor h) { return m.Add<LSTM>("cell", 21)(h); }},
    {"gru",
     {6, 4},
     [](Model& m, Tensor h) {
       h = m.Add<GRU>("cell", 17, GRU::Options{.return_sequences = true})(h);
       return m.Add<SimpleRNN>("last", 10)(h);
     }},
    {"attention", {8, 16}, [](Model& m, Tensor h) {
       h = h + m.Add<MultiHeadAttention>("attention", 2, 8)(m.Add<LayerNorm>("norm")(h));
       return m.Add<Flatten>("flat")(h);
     }}};

absl::StatusOr<Trainer> MakeTrainer(const Network& n, bool shared) {
  Model m(n.name);
  Shape shape = {kBatch};
  for (const int64_t size : n.sample) shape.push_back(size);
  m.Output("p", m.Add<Dense>("out", 3)(n.build(m, m.Input("x", shape))));
  CompileOptions options{.cache_dir = ""};
  if (shared) options.target.sharing = {.least_work = 0, .part_work = 1, .part_rows = 1};
  return Compile(m, {.optimizer = Adam{}, .loss = mean_squared_error, .metrics = {mae}}, options);
}

runtime::Tensor Random(std::vector<int64_t> shape, uint64_t seed) {
  data::PhiloxStream random(seed);
  runtime::Tensor t = runtime::Tensor::Zeros(runtime::DType::kF32, std::move(shape)).value();
  for (float& x : t.data<float>()) x = static_cast<float>(random.Normal());
  return t;
}

// Weights after training from the same start on batches of 16 and, every fifth, of 7.
absl::StatusOr<std::vector<std::vector<float>>> Train(Trainer& trainer, const Network& n,
                                                      int64_t steps) {
  if (absl::Status s = trainer.Reset(5); !s.ok()) return s;
  std::vector<runtime::Tensor> x, y;
  for (const int64_t batch : {16, 7}) {
    std::vector<int64_t> shape = {batch};
    shape.insert(shape.end(), n.sample.begin(), n.sample.end());
    x.push_back(Random(shape, 1));
    y.push_back(Random({batch, 3}, 2));
  }
  for (int64_t i = 0; i < steps; ++i) {
    const size_t which = i % 5 == 4 ? 1 : 0;
    const std::vector<runtime::TensorView> inputs = {x[which]}, targets = {y[which]};
    if (auto step = trainer.TrainStep(inputs, targets); !step.ok()) return step.status();
  }
  std::vector<std::vector<float>> weights;
  for (const std::string& name : trainer.ParameterNames()) {
    const auto data = trainer.Parameter(name)->data<float>();
    weights.emplace_back(data.begin(), data.end());
  }
  return weights;
}

bool SameBits(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].size() != b[i].size() ||
        std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(float)) != 0) {
      return false;
    }
  }
  return true;
}

class Threads : public ::testing::TestWithParam<Network> {};

TEST_P(Threads, WeightsAreTheSameBitForBit) {
  const Network& n = GetParam();
  auto plain = MakeTrainer(n, false);
  ASSERT_TRUE(plain.ok()) << plain.status();
  const auto want = Train(*plain, n, Steps());
  ASSERT_TRUE(want.ok()) << want.status();
  auto trainer = MakeTrainer(n, true);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  for (const int threads : {1, 2, 4, 8, 2}) {
    auto pool = runtime::ThreadPool::Create(threads);
    ASSERT_TRUE(pool.ok()) << pool.status();
    trainer->SetThreads((*pool)->threads());
    const auto got = Train(*trainer, n, Steps());
    trainer->SetThreads(nullptr);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(SameBits(*got, *want)) << threads << " threads";
  }
}

// Counts what the threads are asked for.
struct Counted {
  const gradus_threads* inner;
  int64_t calls = 0, parts = 0;
};

TEST_P(Threads, AStepIsSharedAndAllocatesNothing) {
  const Network& n = GetParam();
  auto trainer = MakeTrainer(n, true);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  auto pool = runtime::ThreadPool::Create(2);
  ASSERT_TRUE(pool.ok()) << pool.status();
  Counted counted{(*pool)->threads()};
  const gradus_threads threads{
      &counted, [](void* state, int64_t count, gradus_parallel_body body, void* context) {
        auto& c = *static_cast<Counted*>(state);
        ++c.calls;
        c.parts += count;
        c.inner->parallel_for(c.inner->state, count, body, context);
      }};
  trainer->SetThreads(&threads);
  std::vector<int64_t> shape = {16};
  shape.insert(shape.end(), n.sample.begin(), n.sample.end());
  const runtime::Tensor x = Random(shape, 1), y = Random({16, 3}, 2);
  const std::vector<runtime::TensorView> inputs = {x}, targets = {y};
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(trainer->TrainStep(inputs, targets).ok());
  counted.calls = counted.parts = 0;
  bool ok = true;
  const auto alone = testing::CountAllocations([&] {
    trainer->SetThreads(&threads);
    ok &= trainer->TrainStep(inputs, targets).ok();
  });
  EXPECT_GT(counted.calls, 3);
  EXPECT_GE(counted.parts, 2 * counted.calls);
  EXPECT_TRUE(ok);
  // What a step on one thread allocates, if anything: the numbers that it returns.
  auto one = MakeTrainer(n, false);
  ASSERT_TRUE(one.ok()) << one.status();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(one->TrainStep(inputs, targets).ok());
  EXPECT_EQ(alone, testing::CountAllocations([&] { ok &= one->TrainStep(inputs, targets).ok(); }));
}

// Threads may change between steps, and a pool may end once no step uses it.
TEST(ThreadsOfATrainer, MayChange) {
  auto trainer = MakeTrainer(kNetworks[0], true);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  Counted counted{nullptr};
  const gradus_threads threads{
      &counted, [](void* state, int64_t count, gradus_parallel_body body, void* context) {
        ++static_cast<Counted*>(state)->calls;
        for (int64_t i = count; i-- > 0;) body(context, i);
      }};
  const runtime::Tensor x = Random({16, 19}, 1), y = Random({16, 3}, 2);
  const std::vector<runtime::TensorView> inputs = {x}, targets = {y};
  ASSERT_TRUE(trainer->TrainStep(inputs, targets).ok());
  EXPECT_EQ(counted.calls, 0);
  trainer->SetThreads(&threads);
  ASSERT_TRUE(trainer->TrainStep(inputs, targets).ok());
  const int64_t calls = counted.calls;
  EXPECT_GT(calls, 0);
  trainer->SetThreads(nullptr);
  ASSERT_TRUE(trainer->TrainStep(inputs, targets).ok());
  EXPECT_EQ(counted.calls, calls);
}

INSTANTIATE_TEST_SUITE_P(Networks, Threads, ::testing::ValuesIn(kNetworks),
                         [](const auto& network) { return std::string(network.param.name); });

}  // namespace
}  // namespace gradus
