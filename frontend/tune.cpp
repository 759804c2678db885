#include "frontend/tune.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "frontend/kernel_search.h"
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

// All that a measurement depends on, but for what the cache adds: target and compiler.
std::string KeyOf(const KernelUse& use, const passes::Sizes& sizes) {
  std::string key = fmt::format("schedule{}", use.in_loop ? " in a loop" : "");
  for (const auto& [result, argument] : use.in_place) {
    key += fmt::format(" {} in {}", result, argument);
  }
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

}  // namespace

absl::StatusOr<Tuning> Tune(const ir::Module& module, std::string_view pipeline,
                            const PassContext& context, const std::string& cache_dir,
                            const TuneOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [start] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  Tuning tuning;
  const auto passes = UpToSchedule(pipeline);
  if (!passes.ok()) return passes.status();
  if (passes->empty()) return tuning;
  const std::unique_ptr<ir::Module> lowered = module.Clone();
  if (absl::Status s = passes::RunPipeline(*lowered, *passes, context, {.verify_each = false});
      !s.ok()) {
    return s;
  }
  codegen::CodegenOptions cache;
  cache.target = context.target;
  cache.cache_dir = cache_dir;
  const passes::Sizes sizes = AllSizes(*lowered, context);
  const absl::flat_hash_set<std::string> in_loops = passes::CalledInLoops(*lowered);
  for (const std::string& name : KernelsThatMatter(*lowered, sizes)) {
    const ir::Function& kernel = *lowered->Find(name);
    const KernelUse use{&kernel, in_loops.contains(name), InPlace(*lowered, kernel)};
    const std::string key = KeyOf(use, sizes);
    std::optional<KernelChoices> choices;
    if (const auto note = codegen::ReadNote(cache, key)) {
      choices = FromNote(*note, use, context.target);
    }
    if (choices) {
      ++tuning.remembered;
    } else {
      choices = FindSchedule(use, context, options, [&] { return seconds() > options.seconds; });
      ++(choices ? tuning.measured : tuning.left);
      if (choices) codegen::WriteNote(cache, key, NoteOf(*choices));
    }
    if (choices && DecidesAnything(*choices)) tuning.choices[name] = *std::move(choices);
  }
  tuning.ms = seconds() * 1e3;
  return tuning;
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
