// Convolutions and both of their gradients through the general path (graph, default pipeline,
// compiled code). One thread, f32, GFLOP/s of thread CPU time; multiplications by padding count as
// work. `products` prints this core's peak.
//
//   convolutions [--benchmark_filter=...] [--benchmark_repetitions=9]
//
// Names: channels in and out, window, size and batch; s2: strides of 2.

#include <algorithm>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "codegen/compile.h"
#include "ir/ops/convolution.h"
#include "passes/autodiff.h"
#include "passes/pipelines.h"
#include "runtime/aligned_buffer.h"

namespace {

using namespace gradus;  // NOLINT: a program of this library

struct Case {
  const char* name;
  int64_t batch;
  std::vector<int64_t> size;
  int64_t in, out, window, stride;
  bool same;
};

const Case kCases[] = {
    {"conv1d_128_256_k3_34_b32", 32, {34}, 128, 256, 3, 1, false},
    {"conv1d_128_256_k3_34_b32_same", 32, {34}, 128, 256, 3, 1, true},
    {"conv1d_256_512_k3_12_b32_same", 32, {12}, 256, 512, 3, 1, true},
    {"conv1d_1_32_k3_12_b32_same", 32, {12}, 1, 32, 3, 1, true},
    {"conv2d_64_64_k3_56_same", 1, {56, 56}, 64, 64, 3, 1, true},
    {"conv2d_16_32_k3_28_b8_same", 8, {28, 28}, 16, 32, 3, 1, true},
    {"conv2d_64_128_k3_56_s2_same", 1, {56, 56}, 64, 128, 3, 2, true},
    {"conv2d_1_16_k3_28_b32_same", 32, {28, 28}, 1, 16, 3, 1, true},
    {"conv2d_256_256_k3_7_b4_same", 4, {7, 7}, 256, 256, 3, 1, true},
};

enum class Wanted { kResult, kInputGradient, kKernelGradient };

// Adds the convolution, or one of its gradients, to `f`. Returns its operations.
double Build(const Case& c, Wanted wanted, ir::Function& f) {
  ir::Shape x_shape = {c.batch}, kernel_shape;
  ir::ConvolutionOptions options;
  for (const int64_t n : c.size) {
    const int64_t positions = (n + c.stride - 1) / c.stride;
    const int64_t padding =
        c.same ? std::max<int64_t>((positions - 1) * c.stride + c.window - n, 0) : 0;
    x_shape.push_back(n);
    kernel_shape.push_back(c.window);
    options.strides.push_back(c.stride);
    options.low.push_back(padding / 2);
    options.high.push_back(padding - padding / 2);
  }
  x_shape.push_back(c.in);
  kernel_shape.push_back(c.in);
  kernel_shape.push_back(c.out);
  const ir::Value x = f.AddArgument("x", {ir::DType::kF32, x_shape});
  const ir::Value kernel = f.AddArgument("w", {ir::DType::kF32, kernel_shape});
  const ir::Value y = ir::convolution(x, kernel, options);
  double operations = 2.0 * static_cast<double>(c.in);
  for (const ir::Dim& d : y.shape()) operations *= static_cast<double>(d.size());
  for (size_t i = 0; i < c.size.size(); ++i) operations *= static_cast<double>(c.window);
  if (wanted == Wanted::kResult) {
    f.AddResult(y);
    return operations;
  }
  const ir::Value g = f.AddArgument("g", y.type());
  const ir::Value of[] = {wanted == Wanted::kInputGradient ? x : kernel};
  f.AddResult(passes::Gradients(y, of, g).value()[0]);
  return operations;
}

runtime::Tensor Filled(const gradus_tensor_info& info) {
  std::vector<int64_t> shape;
  for (int i = 0; i < info.rank; ++i) shape.push_back(info.dims[i].size);
  runtime::Tensor t =
      runtime::Tensor::Zeros(static_cast<runtime::DType>(info.dtype), shape).value();
  auto data = t.data<float>();
  for (size_t i = 0; i < data.size(); ++i) {
    data[i] = static_cast<float>((i * 7919) % 1000) / 500.0F - 1.0F;
  }
  return t;
}

void Run(benchmark::State& state, const Case& c, Wanted wanted) {
  ir::Module module("convolutions");
  const double operations = Build(c, wanted, module.AddFunction("f"));
  passes::PassContext context;
  const codegen::CodegenOptions options;
  context.target = options.target;
  const absl::Status status = passes::RunPipeline(module, "default", context);
  auto loaded = codegen::CompileAndLoad(module, options);
  if (!status.ok() || !loaded.ok()) return state.SkipWithError("it does not compile");
  const runtime::Executable& executable = loaded->front().executable;
  const gradus_entry_info& info = executable.info();
  std::vector<runtime::Tensor> arguments, results;
  for (int i = 0; i < info.argument_count; ++i) arguments.push_back(Filled(info.arguments[i]));
  for (int i = 0; i < info.result_count; ++i) results.push_back(Filled(info.results[i]));
  const std::vector<runtime::TensorView> in(arguments.begin(), arguments.end());
  const std::vector<runtime::MutableTensorView> out(results.begin(), results.end());
  const int64_t bytes = executable.WorkspaceBytes(executable.BindSymbols(in).value()).value();
  auto workspace = runtime::AlignedBuffer::Create(bytes).value();
  const auto call = executable.Bind(in, out, workspace.span());
  if (!call.ok()) return state.SkipWithError("it cannot be called");
  for (auto _ : state) {
    if (!call->Run().ok()) return state.SkipWithError("it does not run");
  }
  state.counters["GFLOP/s"] =
      benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void RegisterAll() {
  for (const Case& c : kCases) {
    for (const auto& [name, wanted] : {std::pair("forward", Wanted::kResult),
                                       {"input_gradient", Wanted::kInputGradient},
                                       {"kernel_gradient", Wanted::kKernelGradient}}) {
      benchmark::RegisterBenchmark((std::string(c.name) + "/" + name).c_str(), Run, c, wanted)
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  RegisterAll();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
