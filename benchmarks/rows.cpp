// Rows, reductions and Adam beside the machine's limit, one thread, f32. Each kernel runs in turn
// with a hand-written loop that moves the same bytes through the same number of streams (sums what
// it reads, writes that to all outputs), in the kernel's own arrays, hence from the same level of
// cache, after runs that are not counted. `of_bound` is the bound's time over ours, medians of the
// turns; the bound is the loop's time or, where more, that of the kernel's exponentials (one an
// element) at the rate of `exp` alone in L1.
//
//   rows [--benchmark_filter=softmax]      ROWS_PRINT=1: also the text of each graph, for
//   gradus-opt

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "benchmarks/or_die.h"
#include "frontend/gradus.h"
#include "ir/printer.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

using namespace gradus;  // NOLINT: a program of this library
using benchmarks::OrDie;

// ---- what the machine gives: `reads` streams in, `writes` streams out, n floats each ----

constexpr int kMaxStreams = 4;
using StreamFn = void (*)(const float* const* in, float* const* out, int64_t n);

#if defined(__x86_64__)
template <int kReads, int kWrites>
__attribute__((target("avx512f"))) void Stream512(const float* const* in, float* const* out,
                                                  int64_t n) {
  __m512 total = _mm512_setzero_ps();
  for (int64_t i = 0; i + 32 <= n; i += 32) {
    __m512 a = _mm512_loadu_ps(in[0] + i), b = _mm512_loadu_ps(in[0] + i + 16);
    for (int r = 1; r < kReads; ++r) {
      a = _mm512_add_ps(a, _mm512_loadu_ps(in[r] + i));
      b = _mm512_add_ps(b, _mm512_loadu_ps(in[r] + i + 16));
    }
    for (int w = 0; w < kWrites; ++w) {
      _mm512_storeu_ps(out[w] + i, a);
      _mm512_storeu_ps(out[w] + i + 16, b);
    }
    if (kWrites == 0) total = _mm512_add_ps(total, _mm512_add_ps(a, b));
  }
  benchmark::DoNotOptimize(total);
}

// Past the caches, as our kernels store what is large.
template <int kReads>
__attribute__((target("avx512f"))) void StreamPast(const float* const* in, float* const* out,
                                                   int64_t n) {
  const auto sum = [&](int64_t i) {
    float a = in[0][i];
    for (int r = 1; r < kReads; ++r) a += in[r][i];
    return a;
  };
  int64_t i = 0;
  for (; i < n && reinterpret_cast<uintptr_t>(out[0] + i) % 64 != 0; ++i) out[0][i] = sum(i);
  for (; i + 16 <= n; i += 16) {
    __m512 a = _mm512_loadu_ps(in[0] + i);
    for (int r = 1; r < kReads; ++r) a = _mm512_add_ps(a, _mm512_loadu_ps(in[r] + i));
    _mm512_stream_ps(out[0] + i, a);
  }
  for (; i < n; ++i) out[0][i] = sum(i);
  _mm_sfence();
}

template <int kReads, int kWrites>
__attribute__((target("avx2"))) void Stream256(const float* const* in, float* const* out,
                                               int64_t n) {
  __m256 total = _mm256_setzero_ps();
  for (int64_t i = 0; i + 16 <= n; i += 16) {
    __m256 a = _mm256_loadu_ps(in[0] + i), b = _mm256_loadu_ps(in[0] + i + 8);
    for (int r = 1; r < kReads; ++r) {
      a = _mm256_add_ps(a, _mm256_loadu_ps(in[r] + i));
      b = _mm256_add_ps(b, _mm256_loadu_ps(in[r] + i + 8));
    }
    for (int w = 0; w < kWrites; ++w) {
      _mm256_storeu_ps(out[w] + i, a);
      _mm256_storeu_ps(out[w] + i + 8, b);
    }
    if (kWrites == 0) total = _mm256_add_ps(total, _mm256_add_ps(a, b));
  }
  benchmark::DoNotOptimize(total);
}
#endif

template <int kReads, int kWrites>
void StreamPlain(const float* const* in, float* const* out, int64_t n) {
  float total = 0;
  for (int64_t i = 0; i < n; ++i) {
    float a = in[0][i];
    for (int r = 1; r < kReads; ++r) a += in[r][i];
    for (int w = 0; w < kWrites; ++w) out[w][i] = a;
    if (kWrites == 0) total += a;
  }
  benchmark::DoNotOptimize(total);
}

void Memcpy(const float* const* in, float* const* out, int64_t n) {
  std::memcpy(out[0], in[0], static_cast<size_t>(n) * sizeof(float));
}

template <int kReads, int kWrites>
std::vector<StreamFn> Streams() {
  std::vector<StreamFn> list;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    list.push_back(Stream512<kReads, kWrites>);
    if (kWrites == 1) list.push_back(StreamPast<kReads>);
  }
  if (__builtin_cpu_supports("avx2")) list.push_back(Stream256<kReads, kWrites>);
#endif
  if (list.empty()) list.push_back(StreamPlain<kReads, kWrites>);
  if (kReads == 1 && kWrites == 1) list.push_back(Memcpy);
  return list;
}

std::vector<StreamFn> StreamsOf(int reads, int writes) {
  if (writes == 0) return reads == 1 ? Streams<1, 0>() : Streams<2, 0>();
  if (writes == 3) return Streams<4, 3>();
  return reads == 1 ? Streams<1, 1>() : Streams<2, 1>();
}

// ---- the kernels ----

struct Case {
  const char* name;
  Shape shape;
  int reads, writes;  // tensors of this shape that come from and go to memory
  int exponentials;   // an element
  std::function<void(Graph&, const Shape&)> build;
  bool in_place = false;  // results use the memory of the first arguments
};

Tensor Weighted(Graph& g, Tensor y, const Shape& shape) {
  return reduce_sum(y * g.Input("dy", shape));
}

void Softmax(Graph& g, const Shape& s) { g.Output("y", softmax(g.Input("x", s))); }
void LogSoftmax(Graph& g, const Shape& s) { g.Output("y", log_softmax(g.Input("x", s))); }
void SoftmaxGradient(Graph& g, const Shape& s) {
  const Tensor x = g.Input("x", s);
  g.Output("dx", Grad(Weighted(g, softmax(x), s), {x})[0]);
}
// Loss and gradient of logits against one-hot targets, and against class numbers.
void CrossEntropy(Graph& g, const Shape& s) {
  const Tensor x = g.Input("x", s);
  const Tensor loss = categorical_crossentropy_from_logits(g.Input("target", s), x);
  g.Output("loss", loss);
  g.Output("dx", Grad(loss, {x})[0]);
}
void SparseCrossEntropy(Graph& g, const Shape& s) {
  const Tensor x = g.Input("x", s);
  const Tensor target = g.Input("target", {s[0]}, DType::kI32);
  const Tensor loss = sparse_categorical_crossentropy_from_logits(target, x);
  g.Output("loss", loss);
  g.Output("dx", Grad(loss, {x})[0]);
}

Tensor Normed(Graph& g, Tensor x, const Shape& s, std::vector<Tensor>* learned) {
  const Shape row = {s[s.rank() - 1]};
  const Axes axes = {s.rank() - 1};
  learned->push_back(g.Input("gamma", row));
  learned->push_back(g.Input("beta", row));
  return standardize(x, axes, 1e-3) * broadcast((*learned)[0], s, axes) +
         broadcast((*learned)[1], s, axes);
}
void LayerNormForward(Graph& g, const Shape& s) {
  std::vector<Tensor> learned;
  const Tensor x = g.Input("x", s);
  g.Output("y", Normed(g, x, s, &learned));
}
void LayerNormGradient(Graph& g, const Shape& s) {
  std::vector<Tensor> learned;
  const Tensor x = g.Input("x", s);
  const Tensor y = Normed(g, x, s, &learned);
  const std::vector<Tensor> d = Grad(Weighted(g, y, s), {x, learned[0], learned[1]});
  g.Output("dx", d[0]);
  g.Output("dgamma", d[1]);
  g.Output("dbeta", d[2]);
}
void Variance(Graph& g, const Shape& s) { g.Output("v", variance(g.Input("x", s), {-1})); }
void Argmax(Graph& g, const Shape& s) { g.Output("i", argmax(g.Input("x", s), -1)); }
void Accuracy(Graph& g, const Shape& s) {
  const Tensor hit = equal(argmax(g.Input("x", s), -1), g.Input("target", {s[0]}, DType::kI64));
  g.Output("accuracy", reduce_mean(cast(hit, DType::kF32)));
}
void Sum(Graph& g, const Shape& s) { g.Output("sum", reduce_sum(g.Input("x", s))); }
void ColumnSum(Graph& g, const Shape& s) { g.Output("sum", reduce_sum(g.Input("x", s), {0})); }
void BatchMoments(Graph& g, const Shape& s) {
  const Tensor x = g.Input("x", s);
  g.Output("mean", reduce_mean(x, {0}));
  g.Output("variance", variance(x, {0}));
}
void AdamStep(Graph& g, const Shape& s) {
  const Adam adam;
  UpdateContext c;
  c.parameter = g.Input("w", s);
  c.state = {g.Input("m", s), g.Input("v", s)};
  c.gradient = g.Input("g", s);
  c.learning_rate = g.Input("rate", {});
  c.step = g.Input("step", {});
  c.common = adam.Prepare(c.learning_rate, c.step);
  const Update u = adam.Apply(c);
  g.function().AddResult(u.parameter, "w", 0);
  g.function().AddResult(u.state[0], "m", 1);
  g.function().AddResult(u.state[1], "v", 2);
}

const std::vector<Case>& Cases() {
  static const std::vector<Case>* const kCases = [] {
    auto* list = new std::vector<Case>();
    for (const Shape& s : {Shape{32, 10}, Shape{256, 1000}, Shape{1024, 1024}, Shape{4096, 4096}}) {
      list->push_back({"softmax", s, 1, 1, 1, Softmax});
    }
    for (const Shape& s : {Shape{32, 10}, Shape{256, 1000}, Shape{1024, 1024}}) {
      list->push_back({"log_softmax", s, 1, 1, 1, LogSoftmax});
      list->push_back({"softmax_gradient", s, 2, 1, 1, SoftmaxGradient});
      list->push_back({"cross_entropy", s, 2, 1, 1, CrossEntropy});
      list->push_back({"sparse_cross_entropy", s, 1, 1, 1, SparseCrossEntropy});
      list->push_back({"argmax", s, 1, 0, 0, Argmax});
      list->push_back({"accuracy", s, 1, 0, 0, Accuracy});
    }
    for (const Shape& s : {Shape{1024, 256}, Shape{8, 128, 256}, Shape{4096, 1024}}) {
      list->push_back({"layer_norm", s, 1, 1, 0, LayerNormForward});
      list->push_back({"layer_norm_gradient", s, 2, 1, 0, LayerNormGradient});
      list->push_back({"variance", s, 1, 0, 0, Variance});
    }
    list->push_back({"sum", {1'000'000}, 1, 0, 0, Sum});
    list->push_back({"sum", {20'000'000}, 1, 0, 0, Sum});
    list->push_back({"column_sum", {4096, 512}, 1, 0, 0, ColumnSum});
    list->push_back({"column_sum", {128, 512}, 1, 0, 0, ColumnSum});
    list->push_back({"batch_moments", {128, 512}, 1, 0, 0, BatchMoments});
    list->push_back({"batch_moments", {4096, 512}, 1, 0, 0, BatchMoments});
    for (const int64_t n : {32'000, 500'000, 20'000'000}) {
      list->push_back({"adam", {n}, 4, 3, 0, AdamStep, true});
    }
    return list;
  }();
  return *kCases;
}

// ---- measuring ----

// Runs that are not counted bring what fits into each level of cache, and what others left to be
// written back out of it: that it is not theirs would show in the time.
double Seconds(const std::function<void()>& run, int64_t times, double bytes) {
  constexpr double kSettling = 128e6;  // bytes: several times the last level of cache
  const double settling = std::clamp(kSettling / bytes, 1.0, 16.0);
  for (double i = 0; i < settling; ++i) run();
  const auto begin = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < times; ++i) run();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  return elapsed.count() / static_cast<double>(times);
}

double Median(std::vector<double> list) {
  const auto middle = list.begin() + static_cast<std::ptrdiff_t>(list.size() / 2);
  std::nth_element(list.begin(), middle, list.end());
  return *middle;
}

void Fill(runtime::Tensor& t, int seed) {
  const int64_t n = t.num_elements();
  for (int64_t i = 0; i < n; ++i) {
    const double value = static_cast<double>((i * 7919 + seed * 31) % 1009) / 1009;
    const auto at = static_cast<size_t>(i);
    if (t.dtype() == runtime::DType::kF32) t.data<float>()[at] = static_cast<float>(value);
    if (t.dtype() == runtime::DType::kI32) t.data<int32_t>()[at] = static_cast<int32_t>(i % 10);
    if (t.dtype() == runtime::DType::kI64) t.data<int64_t>()[at] = i % 10;
  }
}

// A compiled graph with its memory.
class Kernel {
 public:
  explicit Kernel(Graph& graph) : executable_(OrDie(Compile(graph))) {
    const gradus_entry_info& info = executable_.info();
    for (int i = 0; i < info.argument_count; ++i) {
      arguments_.push_back(Allocate(info.arguments[i]));
      Fill(arguments_.back(), i);
    }
    std::vector<runtime::TensorView> in(arguments_.begin(), arguments_.end());
    std::vector<runtime::MutableTensorView> out;
    results_.reserve(static_cast<size_t>(info.result_count));
    for (int i = 0; i < info.result_count; ++i) {
      const int alias = info.results[i].alias;
      if (alias < 0) results_.push_back(Allocate(info.results[i]));
      out.emplace_back(alias < 0 ? results_.back() : arguments_[static_cast<size_t>(alias)]);
    }
    workspace_ = OrDie(runtime::AlignedBuffer::Create(OrDie(executable_.WorkspaceBytes({}))));
    call_.emplace(OrDie(executable_.Bind(in, out, {workspace_.data(), workspace_.size()})));
  }
  std::vector<runtime::Tensor>& arguments() { return arguments_; }
  std::vector<runtime::Tensor>& results() { return results_; }
  void Run() const { benchmark::DoNotOptimize(call_->Run().ok()); }

 private:
  static runtime::Tensor Allocate(const gradus_tensor_info& info) {
    std::vector<int64_t> shape;
    for (int i = 0; i < info.rank; ++i) shape.push_back(info.dims[i].size);
    return OrDie(runtime::Tensor::Create(static_cast<runtime::DType>(info.dtype), shape));
  }
  runtime::Executable executable_;
  std::vector<runtime::Tensor> arguments_, results_;
  runtime::AlignedBuffer workspace_;
  std::optional<runtime::BoundCall> call_;
};

constexpr int64_t kTurns = 31;

double SecondsOfExp() {
  static const double seconds = [] {
    constexpr int64_t kCount = 4096;
    Graph graph("exp");
    graph.Output("y", exp(graph.Input("x", {kCount})));
    const Kernel kernel(graph);
    std::vector<double> times;
    for (int i = 0; i < 101; ++i) times.push_back(Seconds([&] { kernel.Run(); }, 50, kCount * 8));
    return Median(times) / kCount;
  }();
  return seconds;
}

void Measure(benchmark::State& state, const Case& c) {
  Graph graph(c.name);
  c.build(graph, c.shape);
  if (std::getenv("ROWS_PRINT") != nullptr) std::printf("%s\n", ir::Print(graph.module()).c_str());
  Kernel kernel(graph);
  const int64_t n = *c.shape.num_elements();
  // Of the kernel's own arrays: where they lie in memory is much of how fast they come. Those that
  // it updates it must find again as they were.
  std::vector<std::vector<float>> own(c.in_place ? static_cast<size_t>(c.reads) : 0,
                                      std::vector<float>(static_cast<size_t>(n)));
  const float* in[kMaxStreams] = {};
  float* out[kMaxStreams] = {};
  const auto memory_of = [&](std::vector<runtime::Tensor>& tensors, int number) -> float* {
    for (runtime::Tensor& t : tensors) {
      if (t.num_elements() == n && number-- == 0) return t.data<float>().data();
    }
    std::abort();
  };
  for (int r = 0; r < c.reads; ++r) {
    in[r] = c.in_place ? own[static_cast<size_t>(r)].data() : memory_of(kernel.arguments(), r);
  }
  for (int w = 0; w < c.writes; ++w) {
    out[w] = c.in_place ? own[static_cast<size_t>(w)].data() : memory_of(kernel.results(), w);
  }
  const std::vector<StreamFn> streams = StreamsOf(c.reads, c.writes);
  const double bytes = static_cast<double>(n) * 4 * (c.reads + c.writes);
  const int64_t turns = std::clamp<int64_t>(200'000 / n, 1, 1000);
  std::vector<double> ours;
  std::vector<std::vector<double>> theirs(streams.size());
  for (auto _ : state) {
    ours.push_back(Seconds([&] { kernel.Run(); }, turns, bytes));
    state.SetIterationTime(ours.back());
    for (size_t i = 0; i < streams.size(); ++i) {
      theirs[i].push_back(Seconds([&] { streams[i](in, out, n); }, turns, bytes));
    }
  }
  double moved = 1e30;
  for (const std::vector<double>& times : theirs) moved = std::min(moved, Median(times));
  const double computed = SecondsOfExp() * static_cast<double>(n) * c.exponentials;
  state.counters["us"] = Median(ours) * 1e6;
  state.counters["stream_us"] = moved * 1e6;
  state.counters["exp_us"] = computed * 1e6;
  state.counters["GB/s"] = bytes / Median(ours) * 1e-9;
  state.counters["of_bound"] = std::max(moved, computed) / Median(ours);
}

}  // namespace

int main(int argc, char** argv) {
  for (const Case& c : Cases()) {
    std::string name = c.name;
    for (int i = 0; i < c.shape.rank(); ++i) {
      name += (i == 0 ? "/" : "x") + std::to_string(c.shape[i].size());
    }
    benchmark::RegisterBenchmark(name.c_str(), Measure, c)
        ->UseManualTime()
        ->Iterations(kTurns)
        ->Unit(benchmark::kMicrosecond);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
