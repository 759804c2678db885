// Functions of arrays as compiled code, one thread: transcendental ones on arrays that stay in L1,
// with `elements/ns` beside each; then what is bound by memory, with the bytes that it cannot do
// without, read and written, as `GB/s`.
//
//   vector_maths --benchmark_repetitions=9 --benchmark_report_aggregates_only=true

#include <vector>

#include "benchmark/benchmark.h"
#include "benchmarks/or_die.h"
#include "frontend/gradus.h"

namespace {

using namespace gradus;  // NOLINT: a program of this library
using benchmarks::OrDie;

constexpr int64_t kCount = 4096;

// Runs a compiled function over and over.
void Measure(benchmark::State& state, const runtime::Executable& executable,
             std::vector<runtime::TensorView> arguments, runtime::MutableTensorView result) {
  runtime::AlignedBuffer workspace =
      OrDie(runtime::AlignedBuffer::Create(OrDie(executable.WorkspaceBytes({}))));
  const std::vector<runtime::MutableTensorView> results{result};
  const runtime::BoundCall call =
      OrDie(executable.Bind(arguments, results, {workspace.data(), workspace.size()}));
  for (auto _ : state) {
    benchmark::DoNotOptimize(call.Run().ok());
    benchmark::ClobberMemory();
  }
}

void CountBytes(benchmark::State& state, int64_t bytes) {
  state.counters["GB/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(bytes) * 1e-9,
      benchmark::Counter::kIsRate);
}

void Run(benchmark::State& state, Tensor (*op)(Operand), DType dtype) {
  Graph graph("vector_maths", dtype);
  graph.Output("y", op(graph.Input("x", {kCount})));
  runtime::Executable executable = OrDie(Compile(graph));

  const auto element = dtype == DType::kF32 ? runtime::DType::kF32 : runtime::DType::kF64;
  runtime::Tensor x = OrDie(runtime::Tensor::Create(element, {kCount}));
  runtime::Tensor y = OrDie(runtime::Tensor::Create(element, {kCount}));
  for (int64_t i = 0; i < kCount; ++i) {
    const double value = 0.001 + static_cast<double>(i) * 0.002;  // positive, for log
    if (dtype == DType::kF32) {
      x.data<float>()[static_cast<size_t>(i)] = static_cast<float>(value);
    } else {
      x.data<double>()[static_cast<size_t>(i)] = value;
    }
  }
  Measure(state, executable, {x}, y);
  state.counters["elements/ns"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * kCount * 1e-9, benchmark::Counter::kIsRate);
}

// The gradient of a table of `words` rows, of which `chosen` are looked up.
void EmbeddingGradient(benchmark::State& state) {
  const int64_t words = state.range(0), chosen = state.range(1);
  constexpr int64_t kRow = 64;
  Graph graph("embedding");
  const Tensor table = graph.Input("table", {words, kRow});
  const Tensor ids = graph.Input("ids", {chosen}, DType::kI64);
  const Tensor dy = graph.Input("dy", {chosen, kRow});
  graph.Output("gradient", Grad(reduce_sum(gather(table, ids, 0) * dy), {table})[0]);
  const runtime::Executable executable = OrDie(Compile(graph));

  const runtime::Tensor rows = OrDie(runtime::Tensor::Zeros(runtime::DType::kF32, {words, kRow}));
  runtime::Tensor places = OrDie(runtime::Tensor::Create(runtime::DType::kI64, {chosen}));
  for (int64_t i = 0; i < chosen; ++i) {
    places.data<int64_t>()[static_cast<size_t>(i)] = i * 7919 % words;
  }
  const runtime::Tensor updates =
      OrDie(runtime::Tensor::Zeros(runtime::DType::kF32, {chosen, kRow}));
  runtime::Tensor gradient = OrDie(runtime::Tensor::Create(runtime::DType::kF32, {words, kRow}));
  Measure(state, executable, {rows, places, updates}, gradient);
  // Zeros everywhere; an update is read and added to its row.
  CountBytes(state, 4 * kRow * (words + 3 * chosen));
}

void RunningSum(benchmark::State& state, const Shape& shape, int64_t axis, bool reverse) {
  Graph graph("running_sum");
  graph.Output("y", cumsum(graph.Input("x", shape), axis, reverse));
  const runtime::Executable executable = OrDie(Compile(graph));
  std::vector<int64_t> sizes;
  for (const Dim& d : shape) sizes.push_back(d.size());
  const runtime::Tensor x = OrDie(runtime::Tensor::Zeros(runtime::DType::kF32, sizes));
  runtime::Tensor y = OrDie(runtime::Tensor::Create(runtime::DType::kF32, sizes));
  Measure(state, executable, {x}, y);
  CountBytes(state, 8 * *shape.num_elements());
}

BENCHMARK_CAPTURE(Run, exp, exp, DType::kF32);
BENCHMARK_CAPTURE(Run, tanh, tanh, DType::kF32);
BENCHMARK_CAPTURE(Run, sigmoid, sigmoid, DType::kF32);
BENCHMARK_CAPTURE(Run, log, log, DType::kF32);
BENCHMARK_CAPTURE(Run, erf, erf, DType::kF32);
BENCHMARK_CAPTURE(Run, sin, sin, DType::kF32);
BENCHMARK_CAPTURE(Run, exp_f64, exp, DType::kF64);
BENCHMARK_CAPTURE(Run, tanh_f64, tanh, DType::kF64);
BENCHMARK(EmbeddingGradient)->Args({10'000, 4'096})->Unit(benchmark::kMicrosecond);
BENCHMARK(EmbeddingGradient)->Args({10'000, 40'960})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(RunningSum, row, {100'000}, 0, false)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(RunningSum, longer_row, {1'000'000}, 0, false)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(RunningSum, row_from_its_end, {100'000}, 0, true)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(RunningSum, column, {1'000, 100}, 0, false)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
