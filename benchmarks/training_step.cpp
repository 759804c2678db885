// Training steps and compile times, one thread.
//
//   training_step --benchmark_repetitions=9 --benchmark_report_aggregates_only=true
//
// tiny: 16-32-32-1, batch 32, binary cross-entropy. mlp: 784-512-512-10, batch 32, categorical
// cross-entropy. cnn: [12, 1], five convolutions of 32 to 512 filters, 64, 1, batch 32, binary
// cross-entropy. lenet: [28, 28, 1], convolutions of 6 and 16 filters of 5x5, each with a maximum
// over 2x2, 120, 84, 10, batch 32, categorical cross-entropy. Adam. compile_cold: from the model to
// callable code, every entry, without the object cache; compile_cached: with a full one.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "frontend/gradus.h"

namespace {

using namespace gradus;  // NOLINT: a program of this library

constexpr int64_t kBatchSize = 32;

struct Workload {
  const char* name;
  Shape input;  // of one sample
  int64_t outputs;
  bool binary;
  Tensor (*build)(Model&, Tensor);  // from the input to the last layer's
};

const Workload kTiny{"tiny", {16}, 1, true, [](Model& m, Tensor h) {
                       return m.Add<Dense>("hidden2", 32,
                                           relu)(m.Add<Dense>("hidden1", 32, relu)(h));
                     }};
const Workload kMlp{"mlp", {784}, 10, false, [](Model& m, Tensor h) {
                      return m.Add<Dense>("hidden2", 512,
                                          relu)(m.Add<Dense>("hidden1", 512, relu)(h));
                    }};
const Workload kCnn{"cnn", {12, 1}, 1, true, [](Model& m, Tensor h) {
                      for (const int64_t filters : {32, 64, 128, 256, 512}) {
                        const std::string number = std::to_string(filters);
                        h = m.Add<Conv1D>(
                            "conv" + number, filters, 3,
                            Conv1D::Options{.activation = relu, .padding = Padding::Same()})(h);
                        h = m.Add<MaxPooling1D>("pool" + number, 1)(h);
                      }
                      return m.Add<Dense>("hidden", 64, relu)(m.Add<Flatten>("flat")(h));
                    }};
const Workload kLenet{"lenet", {28, 28, 1}, 10, false, [](Model& m, Tensor h) {
                        h = m.Add<Conv2D>(
                            "conv1", 6, 5,
                            Conv2D::Options{.activation = relu, .padding = Padding::Same()})(h);
                        h = m.Add<MaxPooling2D>("pool1")(h);
                        h = m.Add<Conv2D>("conv2", 16, 5, Conv2D::Options{.activation = relu})(h);
                        h = m.Add<MaxPooling2D>("pool2")(h);
                        h = m.Add<Dense>("hidden1", 120, relu)(m.Add<Flatten>("flat")(h));
                        return m.Add<Dense>("hidden2", 84, relu)(h);
                      }};

template <typename Cell>
Tensor Recurrence(Model& m, Tensor h) {
  return m.Add<Dense>("hidden", 64, relu)(m.Add<Cell>("cell", 128)(h));
}
const Workload kRnn{"rnn", {12, 12}, 1, true, Recurrence<SimpleRNN>};
const Workload kLstm{"lstm", {12, 12}, 1, true, Recurrence<LSTM>};
const Workload kLongLstm{"lstm_1200", {1200, 12}, 1, true, Recurrence<LSTM>};

std::unique_ptr<Model> Build(const Workload& w) {
  auto m = std::make_unique<Model>(w.name);
  Shape shape = {kBatch};
  for (const Dim& d : w.input) shape.push_back(d);
  const Tensor h = m->Add<Dense>("out", w.outputs)(w.build(*m, m->Input("x", shape)));
  m->Output("y", w.binary ? sigmoid(h) : h);
  return m;
}

TrainingOptions TrainingOf(const Workload& w) {
  return {.optimizer = Adam{},
          .loss = w.binary ? Loss(binary_crossentropy) : Loss(categorical_crossentropy_from_logits),
          .metrics = {}};
}

absl::StatusOr<Trainer> CompileWorkload(const Workload& w, const std::string& cache_dir) {
  CompileOptions options;
  options.cache_dir = cache_dir;
  return Compile(*Build(w), TrainingOf(w), options);
}

runtime::Tensor Filled(std::vector<int64_t> shape, bool one_hot) {
  runtime::Tensor t = runtime::Tensor::Zeros(runtime::DType::kF32, shape).value();
  auto data = t.data<float>();
  const auto row = static_cast<size_t>(shape.back());
  for (size_t i = 0; i < data.size(); ++i) {
    data[i] = one_hot ? (i % row == (i / row) % row ? 1.0F : 0.0F)
                      : static_cast<float>((i * 7919) % 1000) / 500.0F - 1.0F;
  }
  return t;
}

void TrainStep(benchmark::State& state, const Workload& w) {
  auto trainer = CompileWorkload(w, codegen::DefaultCacheDir());
  if (!trainer.ok()) {
    state.SkipWithError(std::string(trainer.status().message()).c_str());
    return;
  }
  std::vector<int64_t> shape = {kBatchSize};
  for (const Dim& d : w.input) shape.push_back(d.size());
  const runtime::Tensor x = Filled(shape, false);
  const runtime::Tensor y = Filled({kBatchSize, w.outputs}, true);
  const std::vector<runtime::TensorView> inputs = {x}, targets = {y};
  for (auto _ : state) {
    auto result = trainer->TrainStep(inputs, targets);
    benchmark::DoNotOptimize(result);
  }
}

// The training step alone: from its graph to callable code, without the object cache.
void CompileStepCold(benchmark::State& state, const Workload& w) {
  CompileOptions options;
  options.cache_dir.clear();
  for (auto _ : state) {
    auto module = BuildTrainingModule(*Build(w), TrainingOf(w)).value();
    for (const char* other : {"init", "forward", "evaluate"})
      module->EraseFunction(module->Find(other));
    auto entries = CompileModule(*module, options);
    if (!entries.ok()) state.SkipWithError(std::string(entries.status().message()).c_str());
  }
}

void CompileCold(benchmark::State& state, const Workload& w) {
  for (auto _ : state) {
    auto trainer = CompileWorkload(w, "");
    if (!trainer.ok()) state.SkipWithError(std::string(trainer.status().message()).c_str());
  }
}

void CompileCached(benchmark::State& state, const Workload& w) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("gradus_bench_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  if (!CompileWorkload(w, folder.string()).ok())
    state.SkipWithError("the first compilation failed");
  for (auto _ : state) {
    auto trainer = CompileWorkload(w, folder.string());
    if (!trainer.ok()) state.SkipWithError(std::string(trainer.status().message()).c_str());
    if (trainer.ok() && !trainer->compile_report().from_cache)
      state.SkipWithError("missed the cache");
  }
  std::filesystem::remove_all(folder);
}

BENCHMARK_CAPTURE(TrainStep, tiny, kTiny)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(TrainStep, mlp, kMlp)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(TrainStep, cnn, kCnn)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(TrainStep, lenet, kLenet)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(TrainStep, rnn, kRnn)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(TrainStep, lstm, kLstm)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(CompileStepCold, tiny, kTiny)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(CompileStepCold, mlp, kMlp)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(CompileStepCold, cnn, kCnn)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(CompileStepCold, lenet, kLenet)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(CompileStepCold, rnn, kRnn)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(CompileStepCold, lstm, kLstm)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(CompileStepCold, lstm_1200, kLongLstm)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(CompileCold, tiny, kTiny)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(CompileCold, mlp, kMlp)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(CompileCold, cnn, kCnn)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(CompileCold, lenet, kLenet)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(CompileCached, tiny, kTiny)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(CompileCached, mlp, kMlp)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(CompileCached, cnn, kCnn)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(CompileCached, lenet, kLenet)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
