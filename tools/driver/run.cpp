#include "tools/driver/run.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "frontend/tune.h"
#include "passes/pipelines.h"
#include "runtime/npy.h"
#include "runtime/thread_pool.h"
#include "tools/driver/arena.h"
#include "tools/driver/compare.h"
#include "tools/driver/inputs.h"
#include "tools/driver/module_file.h"
#include "tools/driver/targets.h"

namespace gradus::tools {
namespace {

using runtime::Tensor;

struct Options {
  std::vector<std::string> files;
  std::string max_arena, function, grad, wrt, passes = "default", target;
  InputOptions inputs;
  std::vector<std::string> outputs, expected;
  Tolerance tolerance;
  int64_t threads = 1;
  bool cache = true, time = false, print_targets = false, tune = false;
};

Program Describe(Options& o) {
  return {
      .name = "gradus-run",
      .summary = "compiles a function of graph IR and runs it",
      .usage = "FILE|- [flags]",
      .flags =
          {
              {"function", "NAME", "the function to run (default: the only one)", &o.function},
              {"input", "@F.npy", "arguments in order, one flag each; or NAME=@F.npy, or a number",
               &o.inputs.inputs},
              {"output", "@F.npy", "where to write the results, in order", &o.outputs},
              {"expected_output", "@F.npy", "what the results must be, in order", &o.expected},
              {"rtol", "X", "relative tolerance (default: f32 1e-5, f64 1e-11)",
               &o.tolerance.relative},
              {"atol", "X", "absolute tolerance (default: f32 1e-6, f64 1e-12)",
               &o.tolerance.absolute},
              {"grad", "RESULT", "run the gradient of a scalar result, by name or number", &o.grad},
              {"wrt", "NAMES",
               "the arguments for --grad, one result each (default: all float ones)", &o.wrt},
              {"dim", "B=32", "the size of a symbol that no input fixes", &o.inputs.dims},
              {"max-arena", "BYTES", kMaxArenaHelp, &o.max_arena},
              {"seed", "N", "for the arguments that are not given: they are random",
               &o.inputs.seed},
              {"passes", "NAMES", "none, default (the default), or names of passes", &o.passes},
              TargetFlag(&o.target),
              {"threads", "N", "threads to run in (default 1)", &o.threads},
              {"tune", "", "choose schedules of products by measurement, for these sizes (60 s)",
               &o.tune},
              {"print-targets", "", "all names for --target-cpu", &o.print_targets},
              {"cache", "", "use the cache of objects (on; =false turns it off)", &o.cache},
              {"time", "", "print how long compiling and running took", &o.time},
          },
      .files = &o.files,
      .examples =
          "  gradus-run model.ir --input=@x.npy --input=@w.npy --output=@y.npy\n"
          "  gradus-run model.ir --input=@x.npy --expected_output=@y.npy --rtol=1e-4\n"
          "  gradus-run model.ir --dim B=32 --seed=1 --passes=none\n"
          "  gradus-run model.ir --input=x=@x.npy --grad=loss --wrt=w,b --output=@dw.npy "
          "--output=@db.npy\n",
  };
}

double Milliseconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - since)
      .count();
}

// The file of --output=@FILE and its like.
absl::StatusOr<std::string> FileOf(std::string_view flag, const std::string& value) {
  if (value.size() > 1 && value[0] == '@') return value.substr(1);
  return absl::InvalidArgumentError(
      fmt::format("--{}={}: expected @ and the name of a file, such as @y.npy", flag, value));
}

class Run {
 public:
  Run(Options& options, const ir::Target& target, const Output& output)
      : options_(options), target_(target), output_(output) {}

  absl::Status Process() {
    if (absl::Status status = Load(); !status.ok()) return status;
    // Before compiling: mistakes in the inputs show at once.
    absl::StatusOr<std::vector<Tensor>> inputs = MakeInputs(*function_, options_.inputs);
    if (!inputs.ok()) return inputs.status();
    auto executable = Compile(SizesOf(*function_, *inputs));
    if (!executable.ok()) return executable.status();
    auto pool = runtime::ThreadPool::Create(static_cast<int>(
        std::clamp<int64_t>(options_.threads, 0, runtime::ThreadPool::kMaxThreads + 1)));
    if (!pool.ok()) return pool.status();
    const auto start = std::chrono::steady_clock::now();
    absl::StatusOr<std::vector<Tensor>> results =
        executable->Run(*std::move(inputs), (*pool)->threads());
    if (!results.ok()) return results.status();
    if (options_.time) output_.err(fmt::format("run {:.3f} ms\n", Milliseconds(start)));
    return Report(*results);
  }

 private:
  absl::Status Load() {
    auto module = ReadModule(options_.files[0]);
    if (!module.ok()) return module.status();
    module_ = *std::move(module);
    auto function = ChooseFunction(*module_, options_.function);
    if (!function.ok()) return function.status();
    function_ = *function;
    if (!options_.grad.empty()) {
      absl::Status status = ReplaceByGradient(*module_, *function_, options_.grad, options_.wrt);
      if (!status.ok()) return status;
    }
    for (size_t i = 0; i < function_->results().size(); ++i) {
      const std::string& name = function_->results()[i].name;
      names_.push_back(name.empty() ? fmt::format("{}", i) : name);
    }
    for (const auto& [flag, values] : {std::pair{"output", &options_.outputs},
                                       std::pair{"expected_output", &options_.expected}}) {
      if (values->size() > names_.size()) {
        return absl::InvalidArgumentError(fmt::format("--{} is given {} times, @{} has {} results",
                                                      flag, values->size(), function_->name(),
                                                      names_.size()));
      }
      for (std::string& value : *values) {
        absl::StatusOr<std::string> file = FileOf(flag, value);
        if (!file.ok()) return file.status();
        value = *std::move(file);
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<runtime::Executable> Compile(const passes::Sizes& sizes) {
    const auto start = std::chrono::steady_clock::now();
    const std::string name = function_->name();
    passes::PassContext context{.target = target_};
    if (absl::Status s = SetArena(options_.max_arena, options_.inputs.dims, context); !s.ok()) {
      return s;
    }
    const std::string cache_dir = options_.cache ? codegen::DefaultCacheDir() : "";
    if (options_.tune) {
      context.sizes = sizes;
      auto tuning = Tune(*module_, options_.passes, context, cache_dir, {});
      if (!tuning.ok()) return tuning.status();
      if (options_.time) output_.err(ToString(*tuning));
      context.choices = std::move(tuning->choices);
    }
    absl::Status status =
        passes::RunPipeline(*module_, options_.passes, context, {.print = output_.err});
    if (!status.ok()) return status;
    const codegen::CodegenOptions codegen{
        .target = target_, .cache_dir = cache_dir, .debug_lines = codegen::DefaultDebugLines()};
    codegen::CompileTimes times;
    auto entries = codegen::CompileAndLoad(*module_, codegen, &times);
    if (!entries.ok()) return entries.status();
    if (options_.time) {
      output_.err(fmt::format("compile {:.1f} ms{}\n", Milliseconds(start),
                              times.from_cache ? " (object from the cache)" : ""));
    }
    for (codegen::LoadedEntry& entry : *entries) {
      if (entry.name == name) return std::move(entry.executable);
    }
    return absl::InvalidArgumentError(
        fmt::format("--passes={} does not plan memory for @{}: there is nothing to run\n  help: "
                    "use default or none, or end with plan-memory",
                    options_.passes, name));
  }

  // Writes, compares, and prints what was asked for; results in full view only where neither was.
  absl::Status Report(const std::vector<Tensor>& results) {
    for (size_t i = 0; i < options_.outputs.size(); ++i) {
      absl::Status status = runtime::WriteNpy(options_.outputs[i], results[i]);
      if (!status.ok()) return status;
    }
    std::string failures;
    for (size_t i = 0; i < options_.expected.size(); ++i) {
      absl::StatusOr<Tensor> want = runtime::ReadNpy(options_.expected[i]);
      if (!want.ok()) return want.status();
      const auto line = Compare(results[i], *want, options_.tolerance);
      if (line.ok()) {
        output_.out(fmt::format("{}: as in {}: {}\n", names_[i], options_.expected[i], *line));
      } else {
        failures +=
            fmt::format("{}result {} is not as in {}: {}", failures.empty() ? "" : "\n  ",
                        names_[i], options_.expected[i], std::string(line.status().message()));
      }
    }
    if (!failures.empty()) return absl::InvalidArgumentError(failures);
    if (options_.outputs.empty() && options_.expected.empty()) {
      for (size_t i = 0; i < results.size(); ++i) {
        output_.out(fmt::format("{}: {}\n", names_[i], Show(results[i])));
      }
    }
    return absl::OkStatus();
  }

  Options& options_;
  const ir::Target& target_;
  const Output& output_;
  std::unique_ptr<ir::Module> module_;
  ir::Function* function_ = nullptr;
  std::vector<std::string> names_;  // of the results
};

}  // namespace

int RunRun(std::span<const std::string> arguments, const Output& output) {
  Options options;
  const Program program = Describe(options);
  if (const auto code = ParseFlags(program, arguments, output)) return *code;
  if (options.print_targets) {
    output.out(DescribeTargets());
    return kGood;
  }
  if (options.files.size() != 1) {
    return BadUse(
        program, output,
        fmt::format("expected one FILE (or - for standard input), got {}", options.files.size()));
  }
  if (options.grad.empty() && !options.wrt.empty()) {
    return BadUse(program, output, "--wrt says more of --grad=RESULT, which is missing");
  }
  if (const auto passes = passes::ParsePipeline(options.passes); !passes.ok()) {
    return BadUse(program, output, std::string(passes.status().message()));
  }
  const absl::StatusOr<ir::Target> target = TargetOf(options.target);
  if (!target.ok()) return BadUse(program, output, std::string(target.status().message()));
  return Finish(Run(options, *target, output).Process(), output);
}

}  // namespace gradus::tools
