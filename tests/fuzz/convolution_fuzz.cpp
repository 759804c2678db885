// Random convolutions and their gradients through the scheduler and compiled code, compared with a
// naive loop in double; pages that cannot be touched round every buffer. Operands are multiples of
// 1/8, so that sums are exact in any order. Each case runs for one of the levels that run here, or
// for those named.
//
//   convolution_fuzz [--iterations=N] [--seed=S] [--only=I] [--target-cpu=NAME,...|all]

#include <algorithm>
#include <cstdio>
#include <variant>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "ir/loop/plan.h"
#include "ir/ops/composite.h"
#include "ir/ops/convolution.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/reduction.h"
#include "passes/autodiff.h"
#include "passes/pipelines.h"
#include "tests/fuzz/fuzz_options.h"
#include "tests/fuzz/guarded_call.h"

namespace gradus::fuzz {
namespace {

using Sizes = std::vector<int64_t>;

struct ConvolutionCase {
  enum class Wanted { kResult, kInputGradient, kKernelGradient };
  ir::DType dtype = ir::DType::kF32;
  int64_t batch = 1, in = 1, out = 1;
  bool batch_symbolic = false, size_symbolic = false, mask = false, bias = false;
  Sizes size, window;  // one entry a spatial axis
  ir::ConvolutionOptions options;
  Wanted wanted = Wanted::kResult;

  Sizes positions() const {
    Sizes p;
    for (size_t i = 0; i < size.size(); ++i) {
      const int64_t n =
          (size[i] - 1) * options.input_dilation[i] + 1 + options.low[i] + options.high[i];
      const int64_t room = n - (window[i] - 1) * options.kernel_dilation[i] - 1;
      p.push_back(room < 0 ? 0 : room / options.strides[i] + 1);
    }
    return p;
  }
};

template <typename T, size_t N>
T Pick(std::mt19937_64& random, const T (&list)[N]) {
  return list[random() % N];
}
bool Chance(std::mt19937_64& random, int percent) {
  return static_cast<int>(random() % 100) < percent;
}

// Of so many channels that sums over one row of the window are long.
ConvolutionCase SmallImage(std::mt19937_64& random) {
  ConvolutionCase c;
  c.batch = Pick(random, {1, 2});
  c.batch_symbolic = Chance(random, 40);
  c.in = 520;
  c.out = Pick(random, {16, 17});
  c.size = {Pick(random, {2, 3, 4}), Pick(random, {3, 4})};
  c.window = {3, 3};
  c.wanted = static_cast<ConvolutionCase::Wanted>(random() % 3);
  if (c.wanted == ConvolutionCase::Wanted::kInputGradient) std::swap(c.in, c.out);
  c.options.strides = c.options.kernel_dilation = c.options.input_dilation = {1, 1};
  c.options.low = c.options.high = {1, 1};
  return c;
}

ConvolutionCase RandomCase(std::mt19937_64& random) {
  if (Chance(random, 5)) return SmallImage(random);
  constexpr int64_t kChannels[] = {1, 2, 3, 4, 5, 8, 15, 16, 17, 24, 31, 32, 33, 48, 64, 65, 128};
  constexpr int64_t kSpatial[] = {1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 17};
  constexpr int64_t kWindow[] = {1, 2, 3, 3, 3, 4, 5, 7};
  ConvolutionCase c;
  if (Chance(random, 20)) c.dtype = ir::DType::kF64;
  c.batch = Pick(random, {1, 1, 2, 3, 5, 16, 33});
  c.batch_symbolic = Chance(random, 40);
  c.in = Pick(random, kChannels);
  c.out = Pick(random, kChannels);
  c.mask = Chance(random, 30);
  c.bias = Chance(random, 40);
  c.wanted = static_cast<ConvolutionCase::Wanted>(random() % 3);
  const size_t axes = Pick(random, {1, 1, 2, 2, 3});
  const bool plain = Chance(random, 50);
  for (size_t i = 0; i < axes; ++i) {
    c.size.push_back(Pick(random, kSpatial));
    c.window.push_back(Pick(random, kWindow));
    if (axes > 1) c.size[i] = std::min<int64_t>(c.size[i], 9);
    c.options.strides.push_back(plain ? 1 : Pick(random, {1, 1, 2, 3}));
    c.options.kernel_dilation.push_back(plain ? 1 : Pick(random, {1, 1, 2, 3}));
    c.options.input_dilation.push_back(plain || !Chance(random, 20) ? 1 : 2);
    const int64_t reach = (c.window[i] - 1) * c.options.kernel_dilation[i];
    const int64_t low = Chance(random, 60) ? reach / 2 : static_cast<int64_t>(random() % 4) - 1;
    c.options.low.push_back(low);
    c.options.high.push_back(Chance(random, 60) ? reach - reach / 2
                                                : static_cast<int64_t>(random() % 4) - 1);
  }
  const ir::ConvolutionOptions& o = c.options;
  c.size_symbolic = o.strides[0] == 1 && o.input_dilation[0] == 1 &&
                    o.low[0] + o.high[0] == (c.window[0] - 1) * o.kernel_dilation[0] &&
                    Chance(random, 30);
  int64_t work = c.batch * c.in * c.out;
  for (size_t i = 0; i < axes; ++i) work *= c.size[i] * c.window[i];
  return work > 1200000 ? RandomCase(random) : c;
}

std::string ToString(const ConvolutionCase& c) {
  const auto list = [](const Sizes& s) { return fmt::format("[{}]", fmt::join(s, ", ")); };
  constexpr const char* kWanted[] = {"result", "input gradient", "kernel gradient"};
  return fmt::format(
      "{} of {}: batch {}{}, {} to {} channels, size {}{}, window {}, strides {}, low {}, high {}, "
      "dilation {} {}{}{}",
      kWanted[static_cast<int>(c.wanted)], ir::Name(c.dtype), c.batch,
      c.batch_symbolic ? " (symbol)" : "", c.in, c.out, list(c.size),
      c.size_symbolic ? " (symbol)" : "", list(c.window), list(c.options.strides),
      list(c.options.low), list(c.options.high), list(c.options.kernel_dilation),
      list(c.options.input_dilation), c.mask ? ", mask" : "", c.bias ? ", bias" : "");
}

ir::Shape ShapeOf(ir::Dim batch, const Sizes& spatial, int64_t channels) {
  ir::Shape shape;
  shape.push_back(batch);
  for (const int64_t n : spatial) shape.push_back(n);
  shape.push_back(channels);
  return shape;
}

void Build(const ConvolutionCase& c, ir::Function& f) {
  const ir::Dim batch = c.batch_symbolic ? ir::Dim(ir::Symbol("B")) : ir::Dim(c.batch);
  ir::Shape x_shape = ShapeOf(batch, c.size, c.in);
  if (c.size_symbolic) x_shape[1] = ir::Dim(ir::Symbol("T"));
  ir::Shape kernel_shape;
  for (const int64_t n : c.window) kernel_shape.push_back(n);
  kernel_shape.push_back(c.in);
  kernel_shape.push_back(c.out);
  const ir::Value x = f.AddArgument("x", {c.dtype, x_shape});
  const ir::Value kernel = f.AddArgument("w", {c.dtype, kernel_shape});
  ir::Value masked = x;
  if (c.mask) {
    const ir::Value h = f.AddArgument("h", x.type());
    masked = ir::select(ir::greater(h, 0), x, ir::mul(x, 0));
  }
  const ir::Value y = ir::convolution(masked, kernel, c.options);
  if (c.wanted == ConvolutionCase::Wanted::kResult) {
    f.AddResult(c.bias ? ir::relu(ir::add(y, f.AddArgument("b", {c.dtype, {c.out}}))) : y);
    return;
  }
  const ir::Value g = f.AddArgument("g", y.type());
  const ir::Value wanted[] = {c.wanted == ConvolutionCase::Wanted::kInputGradient ? masked
                                                                                  : kernel};
  const auto gradients = passes::Gradients(ir::reduce_sum(ir::mul(y, g)), wanted);
  if (gradients.ok()) f.AddResult((*gradients)[0]);
}

Array RandomArray(const Sizes& shape, std::mt19937_64& random) {
  Array a{shape, {}, -1};
  int64_t elements = 1;
  for (const int64_t n : shape) elements *= n;
  for (int64_t i = 0; i < elements; ++i) {
    a.values.push_back((static_cast<double>(random() % 33) - 16) / 8);
  }
  return a;
}

// Calls visit(x, kernel, result), flat places, for each product of the sum.
template <typename Visit>
void ForEachProduct(const ConvolutionCase& c, int64_t batch, const Visit& visit) {
  const Sizes positions = c.positions();
  int64_t per_image = 1, per_window = 1, places = 1;
  for (size_t i = 0; i < c.size.size(); ++i) {
    per_image *= c.size[i];
    per_window *= c.window[i];
    places *= positions[i];
  }
  for (int64_t o = 0; o < batch * places; ++o) {
    for (int64_t k = 0; k < per_window; ++k) {
      int64_t rest_o = o % places, rest_k = k, from = 0, stride = 1;
      bool inside = true;
      for (size_t i = c.size.size(); i-- > 0;) {
        const int64_t place = rest_o % positions[i] * c.options.strides[i] +
                              rest_k % c.window[i] * c.options.kernel_dilation[i] -
                              c.options.low[i];
        rest_o /= positions[i];
        rest_k /= c.window[i];
        const int64_t apart = c.options.input_dilation[i];
        inside = inside && place >= 0 && place % apart == 0 && place / apart < c.size[i];
        from += place / apart * stride;
        stride *= c.size[i];
      }
      if (!inside) continue;
      const int64_t pixel = o / places * per_image + from;
      for (int64_t ci = 0; ci < c.in; ++ci) {
        for (int64_t co = 0; co < c.out; ++co) {
          visit(static_cast<size_t>(pixel * c.in + ci),
                static_cast<size_t>((k * c.in + ci) * c.out + co),
                static_cast<size_t>(o * c.out + co));
        }
      }
    }
  }
}

ProductCall RandomCall(const ConvolutionCase& c, int64_t batch, std::mt19937_64& random) {
  const auto shape = [&](const Sizes& spatial, int64_t channels) {
    Sizes s = {batch};
    s.insert(s.end(), spatial.begin(), spatial.end());
    s.push_back(channels);
    return s;
  };
  Sizes kernel_shape = c.window;
  kernel_shape.insert(kernel_shape.end(), {c.in, c.out});
  ProductCall call;
  Array x = RandomArray(shape(c.size, c.in), random), kernel = RandomArray(kernel_shape, random);
  call.arguments = {x, kernel};
  if (c.mask) {
    call.arguments.push_back(RandomArray(x.shape, random));
    for (size_t i = 0; i < x.values.size(); ++i) {
      if (!(call.arguments.back().values[i] > 0)) x.values[i] = 0;
    }
  }
  Array y{shape(c.positions(), c.out), {}, -1};
  int64_t elements = 1;
  for (const int64_t n : y.shape) elements *= n;
  y.values.assign(static_cast<size_t>(elements), 0);
  Array result;
  if (c.wanted == ConvolutionCase::Wanted::kResult) {
    ForEachProduct(c, batch, [&](size_t i, size_t k, size_t o) {
      y.values[o] += x.values[i] * kernel.values[k];
    });
    if (c.bias) {
      const Array b = RandomArray({c.out}, random);
      for (size_t i = 0; i < y.values.size(); ++i) {
        y.values[i] = std::max(y.values[i] + b.values[i % static_cast<size_t>(c.out)], 0.0);
      }
      call.arguments.push_back(b);
    }
    result = y;
  } else {
    const bool of_input = c.wanted == ConvolutionCase::Wanted::kInputGradient;
    const Array g = RandomArray(y.shape, random);
    result = of_input ? x : kernel;
    std::fill(result.values.begin(), result.values.end(), 0);
    ForEachProduct(c, batch, [&](size_t i, size_t k, size_t o) {
      result.values[of_input ? i : k] += g.values[o] * (of_input ? kernel.values[k] : x.values[i]);
    });
    call.arguments.push_back(g);
  }
  call.bounds.emplace_back(result.values.size(), 1e-9);
  call.results.push_back(std::move(result));
  return call;
}

// Sums in blocks of so many terms, as only large ones are by themselves, for all products of the
// module, whose kernels have plans.
passes::PassContext InBlocks(const ir::Module& module, passes::PassContext context, int64_t terms,
                             bool panels) {
  passes::scheduling::Choice choice;
  choice.blocks = {.terms = terms, .panels = panels};
  for (const auto& function : module.functions()) {
    if (function->plan == nullptr) continue;
    const auto products = std::ranges::count_if(function->plan->steps, [](const auto& step) {
      return std::holds_alternative<loop::Contraction>(step);
    });
    context.choices[function->name()].assign(static_cast<size_t>(products), choice);
  }
  return context;
}

std::string RunOne(const ConvolutionCase& c, const char* pipeline, bool in_blocks,
                   const ir::Target& target, uint64_t seed, std::string_view label) {
  std::mt19937_64 random(seed);
  passes::PassContext context;
  codegen::CodegenOptions options;
  context.target = options.target = target;
  ir::Module module("fuzz");
  Build(c, module.AddFunction("f"));
  const ir::Function& f = *module.functions()[0];
  if (f.error()) return "could not be built: " + f.error()->message;
  if (f.results().empty()) return "has no gradient";
  absl::Status status = passes::RunPipeline(module, pipeline, context);
  if (status.ok() && in_blocks) {
    context = InBlocks(module, context, Pick(random, {3, 8, 40, 100}), Chance(random, 50));
    module = ir::Module("fuzz");
    Build(c, module.AddFunction("f"));
    status = passes::RunPipeline(module, pipeline, context);
    if (!status.ok()) return "";  // where there can be no blocks
  }
  if (!status.ok()) return std::string(status.message());
  const auto loaded = codegen::CompileAndLoad(module, options);
  if (!loaded.ok()) return std::string(loaded.status().message());
  std::string error;
  for (int i = 0; i < (c.batch_symbolic || c.size_symbolic ? 3 : 1) && error.empty(); ++i) {
    int64_t batch = c.batch;
    ConvolutionCase called = c;
    if (c.batch_symbolic && i > 0) batch = i == 1 ? 0 : static_cast<int64_t>(random() % 9);
    if (c.size_symbolic && i > 0) called.size[0] = static_cast<int64_t>(random() % 19);
    const ProductCall call = RandomCall(called, batch, random);
    error = CallAndCompare(loaded->front().executable, c.dtype, call, label);
    if (!error.empty()) {
      error = fmt::format("called with batch {}, size {}: {}", batch, called.size[0], error);
    }
  }
  if (!error.empty()) {
    for (const auto& function : module.functions()) {
      if (function->plan != nullptr) error += "\n" + Print(*function->plan);
    }
  }
  return error;
}

int Main(const FuzzOptions& options) {
  int64_t failures = 0, runs = 0;
  for (int64_t i = 0; i < options.iterations; ++i) {
    if (options.only >= 0 && i != options.only) continue;
    std::mt19937_64 random(options.seed * 1000003 + static_cast<uint64_t>(i));
    const ConvolutionCase c = RandomCase(random);
    const std::vector<NamedTarget> targets = options.TargetsOfCase(random);
    const uint64_t call_seed = random();
    for (const auto& [name, target] : targets) {
      for (const char* how : {"default", "none", "in blocks", "small caches"}) {
        if (how[0] == 'n' && i % 4 != 0) continue;
        if (how[0] == 'i' && i % 2 != 0) continue;
        if (how[0] == 's' && i % 2 == 0) continue;
        ++runs;
        const std::string label = fmt::format("--seed={} --only={} --target-cpu={} ({})\n  {}",
                                              options.seed, i, name, how, ToString(c));
        const bool in_blocks = how[0] == 'i', small_caches = how[0] == 's';
        const std::string error =
            RunOne(c, in_blocks || small_caches ? "default" : how, in_blocks,
                   small_caches ? WithSmallCaches(target) : target, call_seed, label);
        if (error.empty()) continue;
        ++failures;
        fmt::print(stderr, "FAILED {}\n  {}\n", label, error);
        if (failures >= 10) return 1;
      }
    }
  }
  fmt::print("{} runs of {} convolutions, {} failed\n", runs,
             options.only >= 0 ? 1 : options.iterations, failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace gradus::fuzz

int main(int argc, char** argv) {
  const auto options = gradus::fuzz::ParseFuzzOptions("convolution_fuzz", argc, argv);
  if (!options) return 2;
  return gradus::fuzz::Main(*options);
}
