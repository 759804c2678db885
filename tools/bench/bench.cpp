#include "tools/bench/bench.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "frontend/compile.h"
#include "ir/printer.h"
#include "runtime/thread_pool.h"
#include "tools/bench/machine.h"
#include "tools/bench/measure.h"
#include "tools/bench/networks.h"
#include "tools/bench/operations.h"
#include "tools/bench/profile.h"
#include "tools/bench/report.h"
#include "tools/bench/subject.h"

namespace gradus::tools {
namespace {

struct Options {
  std::string workload, mode;
  FileOptions file;
  int64_t batch = 0, threads = 1;
  double seconds = 1, tune_seconds = TuneOptions().seconds;
  bool json = false, list = false, tune = false, profile = false, compile_times = true,
       print_ir = false;
};

Program Describe(Options& o) {
  return {
      .name = "gradus-bench",
      .summary = "how fast a network or an operation runs, beside what this machine allows",
      .usage = "--workload=NAME|--model=FILE [flags]",
      .flags =
          {
              {"workload", "NAME", "a network or an operation: see --list", &o.workload},
              {"model", "FILE", "graph IR; its @train_step or @forward is called", &o.file.file},
              {"function", "NAME", "with --model: another function", &o.file.function},
              {"dim", "T=12", "with --model: the size of a symbol", &o.file.dims},
              {"mode", "train|infer",
               "a training step (of operations: gradients) or the forward pass", &o.mode},
              {"batch", "N", "samples a call (default: the network's)", &o.batch},
              {"threads", "N", "threads to run in (default 1)", &o.threads},
              {"seconds", "X", "how long to measure (default 1)", &o.seconds},
              {"compile_times", "", "measure compilation, too (on; =false turns it off)",
               &o.compile_times},
              {"tune", "", "choose schedules of products by measurement for this batch", &o.tune},
              {"tune_seconds", "X", "the longest that --tune may take (default 60)",
               &o.tune_seconds},
              {"profile", "", "print the time of each kernel, too", &o.profile},
              {"print_ir", "", "print the graph, for gradus-opt, and measure nothing", &o.print_ir},
              {"json", "", "print one line of JSON", &o.json},
              {"list", "", "print the workloads", &o.list},
          },
      .examples =
          "  gradus-bench --workload=rnn --json\n"
          "  gradus-bench --workload=mlp --mode=infer --batch=1\n"
          "  gradus-bench --workload=lenet --profile\n"
          "  gradus-bench --workload=matmul:32x512x784:tb\n"
          "  gradus-bench --workload=cnn34 --print_ir | gradus-opt - --passes=default "
          "--emit=loops\n"
          "  gradus-bench --model=net.ir --mode=infer --batch=8\n",
  };
}

std::string List() {
  std::string text = "networks (batch of a training step, of inference; optimiser Adam):\n";
  for (const Network& n : Networks()) {
    text += fmt::format("  {:12} {:3} {:3}  {}\n", n.name, n.batch, n.inference_batch, n.summary);
  }
  text += "operations (f32):\n";
  std::string_view grammar = kOperationGrammar;
  while (!grammar.empty()) {
    const size_t comma = std::min(grammar.find(", "), grammar.size());
    text += fmt::format("  {}\n", grammar.substr(0, comma));
    grammar.remove_prefix(std::min(comma + 2, grammar.size()));
  }
  return text;
}

// What is wrong with the flags, or "".
std::string Mistake(const Options& o) {
  if (o.workload.empty() == o.file.file.empty()) {
    return "expected --workload=NAME or --model=FILE (--list prints the workloads)";
  }
  if (!o.mode.empty() && o.mode != "train" && o.mode != "infer") {
    return fmt::format("--mode={}: expected train or infer", o.mode);
  }
  if (o.file.file.empty() && (!o.file.function.empty() || !o.file.dims.empty())) {
    return "--function and --dim say more of --model=FILE, which is missing";
  }
  if (o.batch < 0) return fmt::format("--batch={}: expected a number from 1", o.batch);
  if (o.threads < 1 || o.threads > runtime::ThreadPool::kMaxThreads) {
    return fmt::format("--threads={}: expected 1 to {}", o.threads,
                       runtime::ThreadPool::kMaxThreads);
  }
  if (!(o.seconds >= 0 && o.seconds <= 3600)) {
    return fmt::format("--seconds={}: expected 0 to 3600", o.seconds);
  }
  if (!(o.tune_seconds >= 0 && o.tune_seconds <= 3600)) {
    return fmt::format("--tune_seconds={}: expected 0 to 3600", o.tune_seconds);
  }
  if (IsOperation(o.workload)) {
    return o.batch > 0 ? "--batch: an operation's sizes stand in its name" : "";
  }
  if (o.workload.empty() || FindNetwork(o.workload) != nullptr) return "";
  std::vector<std::string_view> names;
  for (const Network& n : Networks()) names.push_back(n.name);
  const std::string_view closest = Closest(o.workload, names);
  return fmt::format("--workload={}: there is none of that name{}; --list prints all", o.workload,
                     closest.empty() ? "" : fmt::format(", did you mean {}?", closest));
}

absl::StatusOr<Subject> MakeSubject(const Options& o) {
  if (!o.file.file.empty()) {
    FileOptions file = o.file;
    file.training = o.mode != "infer";
    file.batch = o.batch > 0 ? o.batch : 32;
    return FileSubject(file);
  }
  if (IsOperation(o.workload)) return OperationSubject(o.workload, o.mode == "train");
  return NetworkSubject(*FindNetwork(o.workload), o.mode != "infer", o.batch);
}

// A folder that is gone with it.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::temp_directory_path() / fmt::format("gradus-bench-{}", getpid())) {
    std::error_code ignored;
    std::filesystem::create_directories(path_, ignored);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// The subject's function, from its graph to callable code: without the object cache, then from a
// full one. Tuned code is not timed: the cache that has its schedules has the object, too.
absl::StatusOr<runtime::Executable> CompileSubject(const Options& o, Subject& s, Measurement& m) {
  CompileOptions options;
  CompileReport report;
  std::optional<TemporaryFolder> folder;
  const bool with_times = o.compile_times && !o.tune;
  if (o.tune) {
    options.tune = true;
    options.tuning.seconds = o.tune_seconds;
    options.sizes = s.sizes;
  }
  if (with_times) {
    folder.emplace();
    options.cache_dir = folder->path();
    const std::unique_ptr<ir::Module> copy = s.module->Clone();
    if (auto cold = CompileModule(*copy, options, &report); !cold.ok()) return cold.status();
    m.compile_cold_ms = report.total_ms;
  }
  auto entries = CompileModule(*s.module, options, &report);
  if (!entries.ok()) return entries.status();
  m.compile_times = with_times && report.from_cache;
  m.compile_cached_ms = report.total_ms;
  if (o.tune) m.tuning = report.tuning;
  for (codegen::LoadedEntry& e : *entries) {
    if (e.name == s.function) return std::move(e.executable);
  }
  return absl::InternalError(fmt::format("the compiled module lacks @{}", s.function));
}

absl::Status Execute(const Options& options, const Output& output) {
  absl::StatusOr<Subject> subject = MakeSubject(options);
  if (!subject.ok()) return subject.status();
  if (options.print_ir) {
    output.out(ir::Print(*subject->module));
    return absl::OkStatus();
  }
  Measurement m;
  m.workload = subject->name;
  m.mode = subject->mode;
  m.batch = subject->batch;
  m.threads = options.threads;
  m.updated_parameters = subject->updated_parameters;
  auto operations = CountOperations(*subject->module, subject->function, subject->sizes);
  if (!operations.ok()) return operations.status();
  m.operations = *operations;
  auto executable = CompileSubject(options, *subject, m);
  if (!executable.ok()) return executable.status();
  auto pool = runtime::ThreadPool::Create(static_cast<int>(options.threads));
  if (!pool.ok()) return pool.status();
  auto function = BoundFunction::Create(*executable, std::move(subject->arguments),
                                        options.threads > 1 ? (*pool)->threads() : nullptr);
  if (!function.ok()) return function.status();
  m.arena_bytes = function->workspace_bytes();
  m.io_bytes = function->argument_and_result_bytes();
  const int threads = static_cast<int>(options.threads);
  m.peak_gflops = MeasurePeak(threads);
  const int64_t moved =
      m.updated_parameters > 0 ? m.updated_parameters : (m.io_bytes + kAdamBytes - 1) / kAdamBytes;
  auto bandwidth = MeasureUpdateBandwidth(moved);
  if (!bandwidth.ok()) return bandwidth.status();
  m.bandwidth = *bandwidth;
  auto timing = MeasureCalls(*function, options.seconds);
  if (!timing.ok()) return timing.status();
  m.timing = *timing;
  // A peak that something disturbed is too low.
  m.peak_gflops = std::max(m.peak_gflops, MeasurePeak(threads));
  m.floor = FloorOf(m.operations, m.peak_gflops, m.updated_parameters, m.io_bytes, m.bandwidth);
  if (options.profile) {
    absl::StatusOr<Subject> again = MakeSubject(options);
    if (!again.ok()) return again.status();
    auto kernels = ProfileKernels(*std::move(again), m.tuning, options.seconds,
                                  options.threads > 1 ? (*pool)->threads() : nullptr);
    if (!kernels.ok()) return kernels.status();
    m.kernels = *std::move(kernels);
  }
  output.out(options.json ? ToJson(m) + "\n" : ToText(m));
  return absl::OkStatus();
}

}  // namespace

int RunBench(std::span<const std::string> arguments, const Output& output) {
  Options options;
  const Program program = Describe(options);
  if (const auto code = ParseFlags(program, arguments, output)) return *code;
  if (options.list) {
    output.out(List());
    return kGood;
  }
  if (const std::string mistake = Mistake(options); !mistake.empty()) {
    return BadUse(program, output, mistake);
  }
  return Finish(Execute(options, output), output);
}

}  // namespace gradus::tools
