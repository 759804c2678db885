// Matrix products through the general path (graph, default pipeline, compiled code), beside
// OpenBLAS where it was found. One thread, f32, GFLOP/s and the part of this core's measured peak.
// Medians of interleaved repetitions.
//
//   products [--target-cpu=NAME] [--benchmark_filter=...]
//
// Then: batch sizes 1 to 65 through one compiled function. --target-cpu: code for a lesser level
// than this machine's; the peak is then that of its vectors.
//
// nn: x w.  nn_bias_relu: max(x w + b, 0).  tn_sgd: w - rate * xᵀ dz, in place.  nt_mask: (h > 0 ?
// dy : 0) wᵀ.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "benchmark/benchmark.h"
#include "codegen/compile.h"
#include "ir/ops/composite.h"
#include "ir/ops/contraction.h"
#include "ir/ops/elementwise.h"
#include "passes/pipelines.h"
#include "tools/bench/machine.h"
#ifdef GRADUS_HAS_OPENBLAS
#include <cblas.h>
extern "C" void openblas_set_num_threads(int);
#endif

namespace {

using namespace gradus;  // NOLINT: a program of this library
using tools::ThreadSeconds;

double peak = 0;

// ---- compiled functions with their memory ----

struct Compiled {
  std::unique_ptr<runtime::Executable> executable;
  std::vector<runtime::Tensor> arguments, results;
  runtime::AlignedBuffer workspace;
  std::unique_ptr<runtime::BoundCall> call;
};

absl::StatusOr<runtime::Executable> CompileFunction(
    const std::function<void(ir::Function&)>& build) {
  ir::Module module("products");
  ir::Function& f = module.AddFunction("f");
  build(f);
  if (f.error()) return f.error()->ToStatus();
  passes::PassContext context;
  const codegen::CodegenOptions options;
  context.target = options.target;
  if (absl::Status s = passes::RunPipeline(module, "default", context); !s.ok()) return s;
  auto loaded = codegen::CompileAndLoad(module, options);
  if (!loaded.ok()) return loaded.status();
  return std::move(loaded->front().executable);
}

// Memory for one call of `executable` with symbols of the size given.
Compiled Bind(const runtime::Executable& executable, int64_t symbol) {
  Compiled c;
  c.executable = std::make_unique<runtime::Executable>(executable);
  const gradus_entry_info& info = executable.info();
  const auto tensor = [&](const gradus_tensor_info& t) {
    std::vector<int64_t> shape;
    for (int i = 0; i < t.rank; ++i)
      shape.push_back(t.dims[i].symbol >= 0 ? symbol : t.dims[i].size);
    runtime::Tensor made =
        runtime::Tensor::Zeros(static_cast<runtime::DType>(t.dtype), shape).value();
    auto data = made.data<float>();
    for (size_t i = 0; i < data.size(); ++i)
      data[i] = static_cast<float>((i * 7919) % 1000) / 500.0F - 1.0F;
    return made;
  };
  for (int i = 0; i < info.argument_count; ++i) c.arguments.push_back(tensor(info.arguments[i]));
  std::vector<runtime::TensorView> arguments(c.arguments.begin(), c.arguments.end());
  std::vector<runtime::MutableTensorView> results;
  for (int i = 0; i < info.result_count; ++i) {
    if (info.results[i].alias >= 0) {
      results.emplace_back(c.arguments[static_cast<size_t>(info.results[i].alias)]);
    } else {
      c.results.push_back(tensor(info.results[i]));
    }
  }
  size_t own = 0;
  for (int i = 0; i < info.result_count; ++i) {
    if (info.results[i].alias < 0) {
      results.insert(results.begin() + i, runtime::MutableTensorView(c.results[own++]));
    }
  }
  const auto dims = executable.BindSymbols(arguments).value();
  c.workspace = runtime::AlignedBuffer::Create(executable.WorkspaceBytes(dims).value()).value();
  auto bound = executable.Bind(arguments, results, c.workspace.span());
  if (!bound.ok()) {
    std::fprintf(stderr, "%s\n", std::string(bound.status().message()).c_str());
    std::exit(1);
  }
  c.call = std::make_unique<runtime::BoundCall>(*std::move(bound));
  return c;
}

void Report(benchmark::State& state, double flops) {
  const double total = flops * static_cast<double>(state.iterations()) * 1e-9;
  state.counters["GFLOP/s"] = benchmark::Counter(total, benchmark::Counter::kIsRate);
  state.counters["of_peak"] = benchmark::Counter(total / peak, benchmark::Counter::kIsRate);
}

using Builder = void (*)(ir::Function&, int64_t m, int64_t n, int64_t k);
constexpr auto kF32 = ir::DType::kF32;

ir::Value Nn(ir::Function& f, ir::Dim m, int64_t n, int64_t k) {
  const ir::Value x = f.AddArgument("x", {kF32, {m, k}});
  return ir::matmul(x, f.AddArgument("w", {kF32, {k, n}}));
}
void BuildNn(ir::Function& f, int64_t m, int64_t n, int64_t k) { f.AddResult(Nn(f, m, n, k)); }
void BuildNnBiasRelu(ir::Function& f, int64_t m, int64_t n, int64_t k) {
  const ir::Value z = Nn(f, m, n, k);
  f.AddResult(ir::relu(ir::add(z, f.AddArgument("b", {kF32, {n}}))));
}
void BuildTnSgd(ir::Function& f, int64_t m, int64_t n, int64_t k) {
  const ir::Value x = f.AddArgument("x", {kF32, {k, m}});
  const ir::Value dz = f.AddArgument("dz", {kF32, {k, n}});
  const ir::Value w = f.AddArgument("w", {kF32, {m, n}});
  const ir::Value dw = ir::matmul(x, dz, {.transpose_a = true});
  f.AddResult(ir::sub(w, ir::mul(dw, 1e-6)), "w", 2);
}
void BuildNtMask(ir::Function& f, int64_t m, int64_t n, int64_t k) {
  const ir::Value h = f.AddArgument("h", {kF32, {m, k}});
  const ir::Value dy = f.AddArgument("dy", {kF32, {m, k}});
  const ir::Value w = f.AddArgument("w", {kF32, {n, k}});
  f.AddResult(
      ir::matmul(ir::select(ir::greater(h, 0), dy, ir::mul(dy, 0)), w, {.transpose_b = true}));
}

void Gradus(benchmark::State& state, Builder build, int64_t m, int64_t n, int64_t k) {
  const auto executable = CompileFunction([&](ir::Function& f) { build(f, m, n, k); });
  if (!executable.ok()) {
    state.SkipWithError(std::string(executable.status().message()).c_str());
    return;
  }
  const Compiled c = Bind(*executable, m);
  for (auto _ : state) benchmark::DoNotOptimize(c.call->Run().ok());
  Report(state, 2.0 * static_cast<double>(m * n * k));
}

#ifdef GRADUS_HAS_OPENBLAS
// The product alone: bias, mask and update are left out, in its favour.
void OpenBlas(benchmark::State& state, bool ta, bool tb, int m, int n, int k) {
  std::vector<float> a(static_cast<size_t>(m * k), 0.5F), b(static_cast<size_t>(k * n), 0.25F),
      c(static_cast<size_t>(m * n));
  for (auto _ : state) {
    cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n,
                k, 1, a.data(), ta ? m : k, b.data(), tb ? k : n, 0, c.data(), n);
    benchmark::DoNotOptimize(c.data());
  }
  Report(state, 2.0 * m * n * k);
}
#endif

struct Case {
  const char* name;
  Builder build;
  bool ta, tb;
  int m, n, k;
};
constexpr Case kCases[] = {
    {"nn", BuildNn, false, false, 256, 256, 256},
    {"nn", BuildNn, false, false, 32, 512, 784},
    {"nn_bias_relu", BuildNnBiasRelu, false, false, 32, 512, 784},
    {"tn_sgd", BuildTnSgd, true, false, 784, 512, 32},
    {"nt_mask", BuildNtMask, false, true, 32, 784, 512},
    {"nt_mask", BuildNtMask, false, true, 256, 256, 256},
    {"nn", BuildNn, false, false, 512, 512, 512},
    {"nn", BuildNn, false, false, 32, 10, 512},
    {"nn", BuildNn, false, false, 1, 512, 784},
    {"nn_bias_relu", BuildNnBiasRelu, false, false, 32, 32, 16},
};

// Batch sizes through one compiled function: a dip is a size slower, per row, than both of its
// neighbours.
int BatchSizes() {
  const auto executable = CompileFunction(
      [](ir::Function& f) { f.AddResult(Nn(f, ir::Dim(ir::Symbol("B")), 512, 784)); });
  if (!executable.ok()) {
    std::fprintf(stderr, "%s\n", std::string(executable.status().message()).c_str());
    return 1;
  }
  constexpr int kLargest = 65, kRounds = 15;
  std::vector<Compiled> calls;
  for (int m = 1; m <= kLargest; ++m) calls.push_back(Bind(*executable, m));
  std::vector<std::vector<double>> seconds(kLargest);
  for (int round = 0; round < kRounds; ++round) {
    for (int m = 1; m <= kLargest; ++m) {
      const Compiled& c = calls[static_cast<size_t>(m - 1)];
      const int repeat = std::max(1, 64 / m);
      (void)c.call->Run();
      const double start = ThreadSeconds();
      for (int i = 0; i < repeat; ++i) (void)c.call->Run();
      seconds[static_cast<size_t>(m - 1)].push_back((ThreadSeconds() - start) / repeat);
    }
  }
  std::vector<double> speed;
  for (int m = 1; m <= kLargest; ++m) {
    auto& s = seconds[static_cast<size_t>(m - 1)];
    std::nth_element(s.begin(), s.begin() + kRounds / 2, s.end());
    speed.push_back(2.0 * m * 512 * 784 / s[kRounds / 2] * 1e-9);
  }
  std::printf("\nbatch x 512 x 784 through one compiled function, GFLOP/s by batch size:\n");
  double worst = 0;
  int at = 0;
  for (int m = 1; m <= kLargest; ++m) {
    std::printf("%4d: %5.1f%s", m, speed[static_cast<size_t>(m - 1)],
                m % 8 == 0 || m == kLargest ? "\n" : " ");
    if (m == 1 || m == kLargest) continue;
    const double neighbour =
        std::min(speed[static_cast<size_t>(m - 2)], speed[static_cast<size_t>(m)]);
    const double dip = 1 - speed[static_cast<size_t>(m - 1)] / neighbour;
    if (dip > worst) {
      worst = dip;
      at = m;
    }
  }
  std::printf("deepest dip below both neighbours: %.1f %% at %d\n", 100 * worst, at);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr std::string_view kTarget = "--target-cpu=";
  const std::vector<std::string> given(argv + 1, argv + argc);
  std::vector<std::string> flags = {
      argv[0], "--benchmark_repetitions=9", "--benchmark_enable_random_interleaving=true",
      "--benchmark_report_aggregates_only=true", "--benchmark_min_time=0.05"};
  for (const std::string& flag : given) {
    if (flag.starts_with(kTarget)) {
      setenv("GRADUS_TARGET_CPU", flag.substr(kTarget.size()).c_str(), 1);
    } else {
      flags.push_back(flag);
    }
  }
  if (absl::Status s = codegen::CheckRunsHere(codegen::DefaultTarget()); !s.ok()) {
    std::fprintf(stderr, "error: %s\n", std::string(s.message()).c_str());
    return 1;
  }
  std::vector<char*> pointers;
  for (std::string& f : flags) pointers.push_back(f.data());
  int count = static_cast<int>(pointers.size());
  peak = tools::MeasurePeak();
  std::printf("peak of one core: %.1f GFLOP/s in f32\n", peak);
  for (const Case& c : kCases) {
    const std::string shape =
        std::to_string(c.m) + "x" + std::to_string(c.n) + "x" + std::to_string(c.k);
    benchmark::RegisterBenchmark((std::string(c.name) + "/" + shape + "/gradus").c_str(), Gradus,
                                 c.build, c.m, c.n, c.k);
#ifdef GRADUS_HAS_OPENBLAS
    openblas_set_num_threads(1);
    benchmark::RegisterBenchmark((std::string(c.name) + "/" + shape + "/openblas").c_str(),
                                 OpenBlas, c.ta, c.tb, c.m, c.n, c.k);
#endif
  }
  benchmark::Initialize(&count, pointers.data());
  benchmark::RunSpecifiedBenchmarks();
  return BatchSizes();
}
