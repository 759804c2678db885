// Random products through the scheduler and compiled code, compared with a naive loop in double;
// pages that cannot be touched round every buffer. Each case runs as one kernel (all of it fused),
// through `default`, as for a machine of small caches, too, and now and then through `none`; for
// one of the levels that run here, or for those named.
//
//   schedule_fuzz [--iterations=N] [--seed=S] [--only=I] [--target-cpu=NAME,...|all]

#include <cstdio>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "ir/loop/plan.h"
#include "ir/ops/structure.h"
#include "passes/pipelines.h"
#include "tests/fuzz/fuzz_options.h"
#include "tests/fuzz/guarded_call.h"
#include "tests/fuzz/product_case.h"

namespace gradus::fuzz {
namespace {

// One kernel with everything in it, and a function that calls it: the most that fusion could ever
// do.
void BuildFused(const ProductCase& c, ir::Module& module) {
  ir::Function& kernel = module.AddFunction("product", ir::FunctionKind::kKernel);
  c.Build(kernel);
  ir::Function& entry = module.AddFunction("f");
  std::vector<ir::Value> arguments;
  for (int i = 0; i < kernel.num_args(); ++i) {
    arguments.push_back(entry.AddArgument(kernel.arg(i).node()->name(), kernel.arg(i).type()));
  }
  ir::Node* node = ir::call(entry, kernel, arguments);
  for (size_t i = 0; i < kernel.results().size(); ++i) {
    ir::Result& result = kernel.results()[i];
    entry.AddResult(node->result(static_cast<int>(i)), result.name, result.alias);
    result.alias = -1;
  }
}

struct Way {
  const char* passes;
  bool fused;
  bool small_caches = false;
};

std::string RunOne(const ProductCase& c, const Way& way, const ir::Target& target, uint64_t seed,
                   std::string_view label) {
  ir::Module module("fuzz");
  if (way.fused) {
    BuildFused(c, module);
  } else {
    c.Build(module.AddFunction("f"));
  }
  for (const auto& f : module.functions()) {
    if (f->error()) return "could not be built: " + f->error()->message;
  }
  passes::PassContext context;
  codegen::CodegenOptions options;
  context.target = options.target = way.small_caches ? WithSmallCaches(target) : target;
  absl::Status status = passes::RunPipeline(module, way.passes, context);
  if (!status.ok()) return std::string(status.message());
  const auto loaded = codegen::CompileAndLoad(module, options);
  if (!loaded.ok()) return std::string(loaded.status().message());

  std::mt19937_64 random(seed);
  constexpr int64_t kCallSizes[] = {0, 1, 2, 5, 6, 7, 15, 16, 17, 31, 32, 33, 48, 64, 65, 100};
  const int calls = c.m_symbolic || c.k_symbolic || c.t_symbolic ? 4 : 1;
  std::string error;
  for (int i = 0; i < calls && error.empty(); ++i) {
    const int64_t m = c.m_symbolic ? kCallSizes[random() % std::size(kCallSizes)] : c.m;
    const int64_t k = c.k_symbolic ? kCallSizes[random() % std::size(kCallSizes)] : c.k;
    const int64_t t = c.t_symbolic ? static_cast<int64_t>(random() % 5) : c.t;
    const ProductCall call = ProductCall::Random(c, m, k, t, random);
    error = CallAndCompare(loaded->front().executable, c.dtype, call, label);
    if (!error.empty()) error = fmt::format("called with m {}, k {}, t {}: {}", m, k, t, error);
  }
  if (!error.empty()) {
    for (const auto& f : module.functions()) {
      if (f->plan != nullptr) error += "\n" + Print(*f->plan);
    }
  }
  return error;
}

int Main(const FuzzOptions& options) {
  constexpr Way kFused{"lower-to-loops,schedule,plan-memory", true};
  constexpr Way kDefault{"default", false}, kNone{"none", false}, kSmall{"default", false, true};
  int64_t failures = 0, runs = 0;
  for (int64_t i = 0; i < options.iterations; ++i) {
    if (options.only >= 0 && i != options.only) continue;
    std::mt19937_64 random(options.seed * 1000003 + static_cast<uint64_t>(i));
    const ProductCase c = ProductCase::Random(random);
    const std::vector<NamedTarget> targets = options.TargetsOfCase(random);
    const uint64_t call_seed = random();
    std::vector<Way> ways = {kFused, kDefault, kSmall};
    if (i % 4 == 0) ways.push_back(kNone);
    for (const auto& [name, target] : targets) {
      for (const Way& way : ways) {
        ++runs;
        const std::string label =
            fmt::format("--seed={} --only={} --target-cpu={} ({}{})\n  {}", options.seed, i, name,
                        way.passes, way.small_caches ? ", small caches" : "", c.ToString());
        const std::string error = RunOne(c, way, target, call_seed, label);
        if (error.empty()) continue;
        ++failures;
        fmt::print(stderr, "FAILED {}\n  {}\n", label, error);
        if (failures >= 10) return 1;
      }
    }
  }
  fmt::print("{} runs of {} products, {} failed\n", runs,
             options.only >= 0 ? 1 : options.iterations, failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace gradus::fuzz

int main(int argc, char** argv) {
  const auto options = gradus::fuzz::ParseFuzzOptions("schedule_fuzz", argc, argv);
  if (!options) return 2;
  return gradus::fuzz::Main(*options);
}
