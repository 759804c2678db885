#include "frontend/tune.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <optional>
#include <utility>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "frontend/kernel_search.h"
#include "frontend/program_trials.h"
#include "ir/loop/plan.h"
#include "ir/op_def.h"
#include "passes/operations.h"
#include "passes/pipelines.h"
#include "passes/schedule.h"
#include "passes/scheduling/kernel_scheduler.h"

namespace gradus {
namespace {

using passes::PassContext;
using passes::scheduling::Choice;

constexpr double kLeastShare = 0.01;  // of an entry's operations
constexpr double kForSearch = 0.5;    // of the time; the rest is for the whole program
constexpr double kGains = 0.97;       // of the tables' time, within the program

// The passes up to `schedule`, and it; none if it is not among them.
absl::StatusOr<std::vector<const passes::Pass*>> UpToSchedule(std::string_view pipeline) {
  auto list = passes::ParsePipeline(pipeline);
  if (!list.ok()) return list.status();
  const auto schedule = std::ranges::find(*list, passes::FindPass("schedule"));
  if (schedule == list->end()) return std::vector<const passes::Pass*>();
  list->erase(schedule + 1, list->end());
  return list;
}

// What every symbol in the module stands for.
passes::Sizes AllSizes(const ir::Module& module, const PassContext& context) {
  passes::Sizes sizes;
  for (const auto& f : module.functions()) {
    for (int i = 0; i < f->num_args(); ++i) {
      for (const ir::Dim& d : f->arg(i).shape()) {
        if (!d.is_symbol()) continue;
        sizes[std::string(d.symbol().name())] = context.SizeOf(d.symbol().name());
      }
    }
  }
  return sizes;
}

// The kernels whose products matter to an entry, the largest first.
std::vector<std::string> KernelsThatMatter(const ir::Module& module, const passes::Sizes& sizes) {
  std::map<std::string, double> most;  // operations in an entry
  for (const auto& f : module.functions()) {
    if (f->kind() != ir::FunctionKind::kGraph) continue;
    const std::map<std::string, double> kernels = passes::OperationsByKernel(module, *f, sizes);
    double all = 0;
    for (const auto& [name, operations] : kernels) all += operations;
    for (const auto& [name, operations] : kernels) {
      if (operations > 0 && operations >= kLeastShare * all) {
        most[name] = std::max(most[name], operations);
      }
    }
  }
  std::vector<std::string> names;
  for (const auto& [name, operations] : most) names.push_back(name);
  std::ranges::stable_sort(names, std::greater<>(), [&](const auto& name) { return most[name]; });
  return names;
}

// Results that the entries have in the place of arguments which the kernel reads as it writes them.
std::map<int, int> InPlace(const ir::Module& module, const ir::Function& kernel) {
  std::map<int, int> places;
  for (const auto& f : module.functions()) {
    for (const ir::Result& result : f->results()) {
      if (result.alias < 0 || !result.value.node()->op().has(ir::kCall)) continue;
      const ir::Node& call = *result.value.node();
      if (call.attr<ir::FunctionRef>("callee").name != kernel.name()) continue;
      for (int i = 0; i < kernel.num_args(); ++i) {
        const bool same = f->ArgumentIndex(call.operand(i)) == result.alias;
        if (same && loop::InPlaceSafe(*kernel.kernel, i, result.value.result())) {
          places[result.value.result()] = i;
        }
      }
    }
  }
  return places;
}

double BytesOf(const ir::Type& type, const PassContext& context) {
  auto bytes = static_cast<double>(ir::ByteSize(type.dtype));
  for (const ir::Dim& d : type.shape) {
    bytes *= static_cast<double>(d.is_symbol() ? context.SizeOf(d.symbol().name()) : d.size());
  }
  return bytes;
}

// Of a function's arguments, and of all that it computes.
double BytesOf(const ir::Function& f, const PassContext& context) {
  double bytes = 0;
  for (int i = 0; i < f.num_args(); ++i) bytes += BytesOf(f.arg(i).type(), context);
  for (const auto& node : f.nodes()) {
    for (const ir::Type& type : node->types()) bytes += BytesOf(type, context);
  }
  return bytes;
}

// What is touched between two calls of a kernel: by the function that calls it, one step of it if
// that is a loop; the largest of several.
int64_t OthersBytes(const ir::Module& module, const ir::Function& kernel, bool in_loop,
                    const PassContext& context) {
  double own = 0, most = 0;
  for (int i = 0; i < kernel.num_args(); ++i) own += BytesOf(kernel.arg(i).type(), context);
  for (const ir::Result& r : kernel.results()) own += BytesOf(r.value.type(), context);
  for (const auto& f : module.functions()) {
    if (f->kind() != (in_loop ? ir::FunctionKind::kBody : ir::FunctionKind::kGraph)) continue;
    const bool calls = std::ranges::any_of(f->nodes(), [&](const auto& node) {
      return node->op().has(ir::kCall) &&
             node->template attr<ir::FunctionRef>("callee").name == kernel.name();
    });
    if (calls) most = std::max(most, BytesOf(*f, context) - own);
  }
  // What exceeds caches many times over makes no difference.
  return static_cast<int64_t>(std::min(most, 1e12));
}

// All that a measurement depends on, but for what the cache adds: target and compiler.
std::string KeyOf(const KernelUse& use, const passes::Sizes& sizes) {
  std::string key = fmt::format("schedule 1{}", use.in_loop ? " in a loop" : "");
  for (const auto& [result, argument] : use.in_place) {
    key += fmt::format(" {} in {}", result, argument);
  }
  // To a power of two, so that most programs with the kernel share what was found.
  key += fmt::format(" beside 2^{}", std::bit_width(static_cast<uint64_t>(use.others_bytes)));
  key += "\n" + loop::Structure(*use.kernel->kernel);
  for (const auto& [symbol, size] : sizes) key += fmt::format("{}={}\n", symbol, size);
  return key;
}

// A note: a line a product, "tile=12x2 order=rows\t8 % less time than 6x4".
std::string NoteOf(const KernelChoices& choices) {
  std::string note;
  for (const Choice& c : choices) note += passes::scheduling::ToString(c) + "\t" + c.why + "\n";
  return note;
}

// Nothing if it is no note, or its choices cannot be followed.
std::optional<KernelChoices> FromNote(std::string_view note, const KernelUse& use,
                                      const ir::Target& target) {
  constexpr size_t kLongest = 120;
  KernelChoices choices;
  while (!note.empty()) {
    const size_t end = note.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = note.substr(0, end);
    const size_t tab = line.find('\t');
    if (tab == std::string_view::npos || line.size() > kLongest) return std::nullopt;
    auto choice = passes::scheduling::ParseChoice(line.substr(0, tab));
    if (!choice.ok()) return std::nullopt;
    choice->why = line.substr(tab + 1);
    choices.push_back(*std::move(choice));
    note.remove_prefix(end + 1);
  }
  const auto plan =
      passes::scheduling::ScheduleKernel(*use.kernel->kernel, target, use.in_loop, choices);
  if (!plan.ok()) return std::nullopt;
  return choices;
}

bool DecidesAnything(const KernelChoices& choices) {
  return std::ranges::any_of(choices, [](const Choice& c) { return !c.empty(); });
}

// A kernel that was measured now, and what looks better than the tables' schedule.
struct Found {
  std::string name, key;
  std::vector<KernelChoices> schedules;
};

class Tuner {
 public:
  Tuner(const ir::Module& module, std::string_view pipeline, const PassContext& context,
        const std::string& cache_dir, const TuneOptions& options)
      : module_(module),
        pipeline_(pipeline),
        context_(context),
        options_(options),
        alone_(options.timer || codegen::ArchitectureOf(context.target) != "x86-64") {
    cache_.target = context.target;
    cache_.cache_dir = cache_dir;
  }

  absl::StatusOr<Tuning> Process() {
    const auto passes = UpToSchedule(pipeline_);
    if (!passes.ok()) return passes.status();
    if (passes->empty()) return tuning_;
    const std::unique_ptr<ir::Module> lowered = module_.Clone();
    if (absl::Status s = passes::RunPipeline(*lowered, *passes, context_, {.verify_each = false});
        !s.ok()) {
      return s;
    }
    std::vector<Found> found = Search(*lowered);
    if (!alone_) ChooseInProgram(found);
    for (Found& f : found) {
      const KernelChoices choices = f.schedules.empty() ? KernelChoices() : f.schedules.front();
      codegen::WriteNote(cache_, f.key, NoteOf(choices));
      if (!choices.empty()) tuning_.choices[f.name] = choices;
      ++tuning_.measured;
    }
    tuning_.ms = Seconds() * 1e3;
    return std::move(tuning_);
  }

 private:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

  // Each kernel by itself.
  std::vector<Found> Search(const ir::Module& lowered) {
    std::vector<Found> found;
    const passes::Sizes sizes = AllSizes(lowered, context_);
    const absl::flat_hash_set<std::string> in_loops = passes::CalledInLoops(lowered);
    for (const std::string& name : KernelsThatMatter(lowered, sizes)) {
      const ir::Function& kernel = *lowered.Find(name);
      const bool in_loop = in_loops.contains(name);
      const KernelUse use{&kernel, in_loop, InPlace(lowered, kernel),
                          OthersBytes(lowered, kernel, in_loop, context_)};
      const std::string key = KeyOf(use, sizes);
      const auto note = codegen::ReadNote(cache_, key);
      std::optional<KernelChoices> choices;
      if (note) choices = FromNote(*note, use, context_.target);
      if (choices) {
        ++tuning_.remembered;
        if (DecidesAnything(*choices)) tuning_.choices[name] = *std::move(choices);
        continue;
      }
      auto schedules = FindSchedules(use, context_, options_.timer, alone_,
                                     [this] { return Seconds() > kForSearch * options_.seconds; });
      if (schedules) {
        found.push_back({name, key, *std::move(schedules)});
      } else {
        ++tuning_.left;
      }
    }
    return found;
  }

  // Of each kernel's schedules, the one that gains most within the program, or none. What could not
  // be looked at is left for the next time.
  void ChooseInProgram(std::vector<Found>& found) {
    std::vector<PassContext> after;
    PassContext before = context_;
    before.choices = tuning_.choices;
    for (const Found& f : found) {
      if (f.schedules.size() > after.size()) after.resize(f.schedules.size(), before);
      for (size_t i = 0; i < f.schedules.size(); ++i) after[i].choices[f.name] = f.schedules[i];
    }
    if (after.empty()) return;
    const auto ratios = RatiosInProgram(module_, pipeline_, before, after,
                                        [this] { return Seconds() > options_.seconds; });
    std::erase_if(found, [&](Found& f) {
      if (f.schedules.empty() || (ratios.ok() && KeepBest(*ratios, f))) return false;
      ++tuning_.left;
      return true;
    });
  }

  // False: it was not seen.
  static bool KeepBest(const std::vector<std::map<std::string, double>>& ratios, Found& f) {
    double least = kGains;
    KernelChoices best;
    for (size_t i = 0; i < f.schedules.size(); ++i) {
      const auto ratio = ratios[i].find(f.name);
      if (ratio == ratios[i].end()) return false;
      if (ratio->second > least) continue;
      least = ratio->second;
      best = f.schedules[i];
    }
    for (Choice& c : best) {
      if (c.empty()) continue;
      const int percent = static_cast<int>(100 * (1 - least));
      c.why = fmt::format("{}{}", percent, c.why.substr(c.why.find(' ')));
    }
    f.schedules.clear();
    if (!best.empty()) f.schedules.push_back(best);
    return true;
  }

  const ir::Module& module_;
  const std::string_view pipeline_;
  const PassContext& context_;
  const TuneOptions& options_;
  // Kernels are chosen for by themselves: elsewhere than on x86-64 they are not timed in programs.
  const bool alone_;
  codegen::CodegenOptions cache_;
  Tuning tuning_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

absl::StatusOr<Tuning> Tune(const ir::Module& module, std::string_view pipeline,
                            const PassContext& context, const std::string& cache_dir,
                            const TuneOptions& options) {
  return Tuner(module, pipeline, context, cache_dir, options).Process();
}

std::string ToString(const Tuning& tuning) {
  std::string text;
  for (const auto& [name, choices] : tuning.choices) {
    std::string line;
    for (const Choice& c : choices) {
      line += fmt::format("{}{}{}", line.empty() ? "" : "; ", passes::scheduling::ToString(c),
                          c.why.empty() ? "" : " (" + c.why + ")");
    }
    text += fmt::format("{}: {}\n", name, line);
  }
  return text;
}

}  // namespace gradus
