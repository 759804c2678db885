// random_graphs [--graphs=N] [--first=N] [--seed=S] [--per_module=N] [--target-cpu=NAME,...|all]
//               [--verbose]
//
// Seeded random graphs of tensors, forward and gradients, compiled with all passes and with none,
// for this machine or for each of the targets named: both must give the same numbers, on several
// threads the same bits as on one, and touch nothing but their memory; aarch64 runs under an
// emulator, if there is one. Sizes lie round those at which plans change: vectors of 2 to 16 lanes,
// tiles, products of 4,096 terms, short sums. Graph i of a seed is the same on every machine. On a
// difference the graph's IR is printed.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "fmt/format.h"
#include "frontend/compile.h"
#include "frontend/data/philox.h"
#include "ir/parser.h"
#include "ir/printer.h"
#include "ir/verifier.h"
#include "runtime/thread_pool.h"
#include "tests/cross/cross_program.h"
#include "tests/elf_symbols.h"
#include "tests/fuzz/random_graph.h"
#include "tests/fuzz/targets.h"
#include "tests/guarded_run.h"
#include "tests/same_graph.h"

namespace gradus {
namespace {

using data::PhiloxStream;

struct Options {
  int64_t graphs = 500, first = 0, seed = 1, per_module = 20;
  std::vector<fuzz::NamedTarget> targets;
  bool verbose = false;
};

std::vector<runtime::Tensor> Inputs(const ir::Function& f, uint64_t seed, int64_t batch) {
  PhiloxStream random(seed, 1U << 30U);
  std::vector<runtime::Tensor> in;
  for (int i = 0; i < f.num_args(); ++i) {
    const ir::Type& type = f.arg(i).type();
    std::vector<int64_t> shape;
    for (const Dim& d : type.shape) shape.push_back(d.is_symbol() ? batch : d.size());
    auto t = runtime::Tensor::Create(static_cast<runtime::DType>(type.dtype), shape).value();
    if (t.dtype() == runtime::DType::kF64) {
      for (double& v : t.data<double>()) v = random.Normal();
    } else {
      for (float& v : t.data<float>()) v = static_cast<float>(random.Normal());
    }
    in.push_back(std::move(t));
  }
  return in;
}

double At(const runtime::Tensor& t, int64_t i) {
  return t.dtype() == runtime::DType::kF64 ? t.data<double>()[static_cast<size_t>(i)]
                                           : t.data<float>()[static_cast<size_t>(i)];
}

// The largest difference relative to the tensor's largest element (1 at least); infinite where one
// is finite and the other is not.
double Difference(const runtime::Tensor& a, const runtime::Tensor& b) {
  double scale = 1, worst = 0;
  for (int64_t i = 0; i < a.num_elements(); ++i) {
    if (std::isfinite(At(a, i))) scale = std::max(scale, std::abs(At(a, i)));
  }
  for (int64_t i = 0; i < a.num_elements(); ++i) {
    const double x = At(a, i), y = At(b, i);
    if (std::isnan(x) && std::isnan(y)) continue;
    if (x == y) continue;
    const double d = std::abs(x - y);
    worst = std::isfinite(d) ? std::max(worst, d / scale) : INFINITY;
  }
  return worst;
}

bool SameBits(const runtime::Tensor& a, const runtime::Tensor& b) {
  const size_t width = a.dtype() == runtime::DType::kF64 ? 8 : 4;
  const size_t bytes = static_cast<size_t>(a.num_elements()) * width;
  return a.num_elements() == b.num_elements() && std::memcmp(a.raw(), b.raw(), bytes) == 0;
}

class Fuzzer {
 public:
  explicit Fuzzer(const Options& options) : options_(options) {}

  int Run() {
    auto pool = runtime::ThreadPool::Create(3);
    if (!pool.ok()) {
      fmt::print(stderr, "error: {}\n", std::string(pool.status().message()));
      return 1;
    }
    pool_ = *std::move(pool);
    const int64_t last = options_.first + options_.graphs;
    for (int64_t first = options_.first; first < last; first += options_.per_module) {
      if (absl::Status s = RunModule(first, std::min(first + options_.per_module, last)); !s.ok()) {
        fmt::print(stderr, "error: graphs {} and on: {}\n", first, std::string(s.message()));
        return 1;
      }
    }
    fmt::print(
        "{} graphs, {} results compared, {} nodes; largest difference {:.2g} in f64, {:.2g} in "
        "f32; "
        "{} failed\n",
        graphs_, results_, nodes_, worst_[1], worst_[0], failed_);
    return failed_ == 0 && graphs_ > 0 ? 0 : 1;
  }

 private:
  // One graph in four is of f32.
  static DType TypeOf(int64_t index) { return index % 4 == 3 ? DType::kF32 : DType::kF64; }
  // A few hundred roundings, through functions that may magnify them.
  static double Tolerance(DType dtype) { return dtype == DType::kF64 ? 1e-10 : 1e-3; }

  // The folded text reads back as the same graph, which folds to the same text.
  static absl::Status CheckFolding(const ir::Module& module) {
    const std::string folded = ir::Print(module, {.locations = false, .folded = true});
    const auto back = ir::Parse(folded, "folded.ir");
    if (!back.ok()) return back.status();
    if (tests::SameGraphs(module, **back) && ir::Print(**back, {.folded = true}) == folded) {
      return absl::OkStatus();
    }
    return absl::InternalError("the folded text reads back as something else:\n" + folded);
  }

  absl::Status RunModule(int64_t first, int64_t last) {
    ir::Module module("random_graphs");
    for (int64_t i = first; i < last; ++i) {
      ir::Function& f = module.AddFunction(fmt::format("graph{}", i));
      fuzz::GrowGraph(f, TypeOf(i), static_cast<uint64_t>(options_.seed), static_cast<uint64_t>(i));
      if (f.error()) return f.error()->ToStatus();
      nodes_ += static_cast<int64_t>(f.nodes().size());
    }
    if (absl::Status s = ir::Verify(module); !s.ok()) return s;
    if (absl::Status s = CheckFolding(module); !s.ok()) return s;
    if (options_.verbose) fmt::print("{}\n", ir::Print(module, {.locations = false}));
    std::fflush(stdout);
    for (const auto& [name, target] : options_.targets) {
      if (absl::Status s = RunFor(name, target, module, first, last); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  // A graph called with a batch.
  struct Call {
    int64_t graph = 0, batch = 0;
    std::string label, name;  // of the graph's function
  };
  using Results = std::vector<std::vector<runtime::Tensor>>;  // of each call

  std::vector<runtime::Tensor> InputsOf(const ir::Module& module, const Call& call) const {
    const auto seed = static_cast<uint64_t>(options_.seed * 1'000'003 + call.graph);
    return Inputs(*module.Find(call.name), seed, call.batch);
  }

  absl::StatusOr<Results> RunHere(const ir::Module& module, const char* pipeline,
                                  const ir::Target& target, const std::vector<Call>& calls,
                                  const gradus_threads* threads = nullptr) const {
    const std::unique_ptr<ir::Module> copy = module.Clone();
    const auto entries =
        CompileModule(*copy, {.pipeline = pipeline, .cache_dir = "", .target = target});
    if (!entries.ok()) return entries.status();
    Results results;
    for (const Call& call : calls) {
      const auto entry = std::find_if(entries->begin(), entries->end(),
                                      [&](const auto& e) { return e.name == call.name; });
      auto one = tests::RunGuarded(entry->executable, InputsOf(module, call),
                                   fmt::format("{}, {}", call.label, pipeline), threads);
      if (!one.ok()) return one.status();
      results.push_back(*std::move(one));
    }
    return results;
  }

  absl::StatusOr<Results> RunElsewhere(const ir::Module& module, const char* pipeline,
                                       const ir::Target& target,
                                       const std::vector<Call>& calls) const {
    const std::unique_ptr<ir::Module> copy = module.Clone();
    if (absl::Status s = passes::RunPipeline(*copy, pipeline, {target}); !s.ok()) return s;
    const auto object = codegen::EmitObject(*copy, {.target = target, .prefix = "run"});
    if (!object.ok()) return object.status();
    if (const std::string foreign = tests::ForeignSymbols(*object); !foreign.empty()) {
      return absl::InternalError("compiled code calls " + foreign);
    }
    std::vector<std::string> symbols;
    for (const Call& call : calls) symbols.push_back("run_" + call.name);
    tests::CrossProgram program(tests::ToolchainFor("aarch64"),
                                std::filesystem::temp_directory_path().string());
    if (absl::Status s = program.AddObject(*object, symbols); !s.ok()) return s;
    for (const Call& call : calls) {
      if (absl::Status s = program.AddCall("run_" + call.name, InputsOf(module, call)); !s.ok())
        return s;
    }
    return program.Run();
  }

  absl::Status RunFor(const std::string& target_name, const ir::Target& target,
                      const ir::Module& module, int64_t first, int64_t last) {
    constexpr std::array<int64_t, 8> kBatches = {1, 3, 5, 6, 7, 17, 25, 33};
    std::vector<Call> calls;
    for (int64_t i = first; i < last; ++i) {
      for (const int64_t batch : {kBatches[static_cast<size_t>(i % 8)], int64_t{8}}) {
        calls.push_back(
            {i, batch,
             fmt::format("random_graphs --seed={} --first={} --graphs=1 --target-cpu={}, batch {}",
                         options_.seed, i, target_name, batch),
             fmt::format("graph{}", i)});
      }
    }
    const bool here = codegen::CheckRunsHere(target).ok();
    const auto run = [&](const char* pipeline) {
      return here ? RunHere(module, pipeline, target, calls)
                  : RunElsewhere(module, pipeline, target, calls);
    };
    const auto fast = run("default"), slow = run("none");
    if (!fast.ok()) return fast.status();
    if (!slow.ok()) return slow.status();
    for (size_t i = 0; i < calls.size(); ++i) {
      Compare(calls[i], *module.Find(calls[i].name), (*fast)[i], (*slow)[i]);
    }
    if (here) {
      // As for a machine on which the least work is worth sharing.
      ir::Target sharing = target;
      sharing.sharing = {.least_work = 0, .part_work = 1, .part_rows = 1};
      const auto shared = RunHere(module, "default", sharing, calls, pool_->threads());
      if (!shared.ok()) return shared.status();
      for (size_t i = 0; i < calls.size(); ++i) {
        CompareBits(calls[i], *module.Find(calls[i].name), (*fast)[i], (*shared)[i]);
      }
    }
    graphs_ += last - first;
    return absl::OkStatus();
  }

  void CompareBits(const Call& call, const ir::Function& f, const std::vector<runtime::Tensor>& a,
                   const std::vector<runtime::Tensor>& b) {
    for (size_t i = 0; i < a.size(); ++i) {
      if (SameBits(a[i], b[i])) continue;
      ++failed_;
      fmt::print(stderr, "{}: {} is not the same on several threads\n", call.label,
                 f.results()[i].name);
    }
  }

  void Compare(const Call& call, const ir::Function& f, const std::vector<runtime::Tensor>& a,
               const std::vector<runtime::Tensor>& b) {
    bool good = true;
    for (size_t i = 0; i < a.size(); ++i) {
      ++results_;
      const double d = Difference(a[i], b[i]);
      double& worst = worst_[TypeOf(call.graph) == DType::kF64 ? 1 : 0];
      worst = std::max(worst, d);
      if (d <= Tolerance(TypeOf(call.graph))) continue;
      good = false;
      fmt::print(stderr, "{}: {} differs by {:.3g}\n", call.label, f.results()[i].name, d);
    }
    if (good) return;
    fmt::print(stderr, "{}\n", ir::Print(f, {.locations = false}));
    ++failed_;
  }

  Options options_;
  int64_t graphs_ = 0, results_ = 0, nodes_ = 0, failed_ = 0;
  std::array<double, 2> worst_{};
  std::unique_ptr<runtime::ThreadPool> pool_;
};

bool ReadFlag(std::string_view argument, std::string_view name, int64_t& value, int64_t least = 1) {
  if (!argument.starts_with(name)) return false;
  argument.remove_prefix(name.size());
  const auto [end, error] =
      std::from_chars(argument.data(), argument.data() + argument.size(), value);
  return error == std::errc() && end == argument.data() + argument.size() && value >= least;
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view a = argv[i];
    if (ReadFlag(a, "--graphs=", options.graphs) || ReadFlag(a, "--first=", options.first, 0) ||
        ReadFlag(a, "--seed=", options.seed) || ReadFlag(a, "--per_module=", options.per_module)) {
      continue;
    }
    if (constexpr std::string_view kTarget = "--target-cpu="; a.starts_with(kTarget)) {
      const bool emulated = tests::CrossProgram::Missing(tests::ToolchainFor("aarch64")).empty();
      auto targets = fuzz::TargetsOf(a.substr(kTarget.size()), emulated ? "aarch64" : "");
      if (!targets.ok()) {
        fmt::print(stderr, "error: {}\n", std::string(targets.status().message()));
        return 2;
      }
      options.targets = *std::move(targets);
      continue;
    }
    if (a == "--verbose") {
      options.verbose = true;
      continue;
    }
    fmt::print(stderr,
               "unknown option {}\nusage: random_graphs [--graphs=N] [--first=N] [--seed=S] "
               "[--per_module=N] [--target-cpu=NAME,...|all] [--verbose]\n",
               a);
    return 2;
  }
  if (options.targets.empty()) options.targets = {{"host", codegen::DefaultTarget()}};
  return Fuzzer(options).Run();
}

}  // namespace
}  // namespace gradus

int main(int argc, char** argv) { return gradus::Main(argc, argv); }
