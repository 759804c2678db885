// The lists of passes. What a pass needs of those before it stands as a comment where the order is written.

#include "passes/pipelines.h"

#include <array>

#include "fmt/format.h"
#include "passes/canonical_order.h"
#include "passes/cse.h"
#include "passes/dce.h"
#include "passes/inline_calls.h"
#include "passes/isolate_kernels.h"
#include "passes/lower_to_loops.h"
#include "passes/plan_memory.h"
#include "passes/schedule.h"
#include "passes/schedule_loops.h"
#include "passes/simplify.h"

namespace gradus::passes {
namespace {

// Sorted by name.
constexpr auto kPasses = std::to_array<Pass>({
    {"canonical-order", "orders the operands of commutative ops by definition", CanonicalOrder},
    {"cse", "equal nodes become one", Cse},
    {"dce", "removes nodes that no result depends on", Dce},
    {"inline-calls", "replaces calls of graph functions by their bodies", InlineCalls, true},
    {"isolate-kernels", "one kernel an op", IsolateKernels, true},
    {"lower-to-loops", "a kernel's ops become stores of scalars over loops", LowerToLoops, true},
    {"plan-memory", "orders an entry's kernels and places every value", PlanMemory, true},
    {"schedule", "a plan for every kernel: contractions tiled, the rest in nests", Schedule, true},
    {"schedule-loops", "a plan of plain nests for every kernel", ScheduleLoops, true},
    {"simplify", "identities that are exact in IEEE arithmetic, constants folded", Simplify},
});

constexpr std::string_view kGraph =
    "inline-calls,"     // first: the others look into one function at a time
    "canonical-order,"  // before cse, which compares operands in order
    "simplify,"         // leaves dead nodes behind
    "cse,"              //
    "dce";              // last: removes what simplify and cse left

// The oracle: no pass that could change a value.
constexpr std::string_view kNone =
    "inline-calls,"     //
    "isolate-kernels,"  //
    "lower-to-loops,"   // needs kernels
    "schedule-loops,"   // needs loops
    "plan-memory";      // needs plans, for their scratch

constexpr auto kPipelines = std::to_array<Pipeline>({
    {"graph", "the graph passes of default alone", kGraph},
    {"none", "no optimisation: one kernel an op, in plain nests", kNone},
});

const Pipeline* FindPipeline(std::string_view name) {
  for (const Pipeline& p : kPipelines) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

// Calls visit(name) for each part between commas.
template <typename Visit>
absl::Status ForEachName(std::string_view names, Visit visit) {
  while (true) {
    const size_t comma = names.find(',');
    const absl::Status status = visit(names.substr(0, comma));
    if (!status.ok() || comma == std::string_view::npos) return status;
    names.remove_prefix(comma + 1);
  }
}

std::string AllNames() {
  std::string text;
  for (const Pipeline& p : kPipelines) text += fmt::format("{}{}", text.empty() ? "" : ", ", p.name);
  for (const Pass& p : kPasses) text += fmt::format(", {}", p.name);
  return text;
}

}  // namespace

std::span<const Pass> AllPasses() { return kPasses; }

std::span<const Pipeline> AllPipelines() { return kPipelines; }

const Pass* FindPass(std::string_view name) {
  for (const Pass& p : kPasses) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

absl::StatusOr<std::vector<const Pass*>> ParsePipeline(std::string_view names) {
  std::vector<const Pass*> passes;
  if (names.empty()) return passes;
  const auto add_pass = [&](std::string_view name) -> absl::Status {
    const Pass* pass = FindPass(name);
    if (pass == nullptr) {
      return absl::InvalidArgumentError(
          fmt::format("there is no pass or pipeline '{}'\n  help: there are {}", name, AllNames()));
    }
    passes.push_back(pass);
    return absl::OkStatus();
  };
  const absl::Status status = ForEachName(names, [&](std::string_view name) {
    const Pipeline* pipeline = FindPipeline(name);
    return pipeline != nullptr ? ForEachName(pipeline->passes, add_pass) : add_pass(name);
  });
  if (!status.ok()) return status;
  return passes;
}

}  // namespace gradus::passes
