// Transcendental functions as compiled code, one thread, on arrays that stay in L1; `elements/ns`
// beside each.
//
//   vector_maths --benchmark_repetitions=9 --benchmark_report_aggregates_only=true

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "benchmark/benchmark.h"
#include "frontend/gradus.h"

namespace {

using namespace gradus;  // NOLINT: a program of this library

constexpr int64_t kCount = 4096;

template <typename T>
T OrDie(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(value);
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
  const std::vector<runtime::TensorView> arguments{x};
  const std::vector<runtime::MutableTensorView> results{y};
  runtime::AlignedBuffer workspace =
      OrDie(runtime::AlignedBuffer::Create(OrDie(executable.WorkspaceBytes({}))));
  const runtime::BoundCall call =
      OrDie(executable.Bind(arguments, results, {workspace.data(), workspace.size()}));
  for (auto _ : state) {
    benchmark::DoNotOptimize(call.Run().ok());
    benchmark::ClobberMemory();
  }
  state.counters["elements/ns"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * kCount * 1e-9, benchmark::Counter::kIsRate);
}

BENCHMARK_CAPTURE(Run, exp, exp, DType::kF32);
BENCHMARK_CAPTURE(Run, tanh, tanh, DType::kF32);
BENCHMARK_CAPTURE(Run, sigmoid, sigmoid, DType::kF32);
BENCHMARK_CAPTURE(Run, log, log, DType::kF32);
BENCHMARK_CAPTURE(Run, erf, erf, DType::kF32);
BENCHMARK_CAPTURE(Run, sin, sin, DType::kF32);
BENCHMARK_CAPTURE(Run, exp_f64, exp, DType::kF64);
BENCHMARK_CAPTURE(Run, tanh_f64, tanh, DType::kF64);

}  // namespace

BENCHMARK_MAIN();
