// The lists of passes. What a pass needs of those before it stands as a comment where the order is
// written.

#include "passes/pipelines.h"

#include <array>

#include "fmt/format.h"
#include "passes/canonical_order.h"
#include "passes/cse.h"
#include "passes/dce.h"
#include "passes/form_kernels.h"
#include "passes/hoist_scan.h"
#include "passes/inline_calls.h"
#include "passes/isolate_kernels.h"
#include "passes/lower_to_loops.h"
#include "passes/plan_memory.h"
#include "passes/recompute.h"
#include "passes/schedule.h"
#include "passes/schedule_loops.h"
#include "passes/simplify.h"
#include "passes/sink_scan.h"
#include "passes/split_rows.h"
#include "passes/split_steps.h"

namespace gradus::passes {
namespace {

// Sorted by name.
constexpr auto kPasses = std::to_array<Pass>({
    {"canonical-order", "orders the operands of commutative ops by definition", CanonicalOrder},
    {"cse", "equal nodes become one", Cse},
    {"dce", "removes nodes that no result depends on", Dce},
    {"form-kernels", "groups of ops that share loops become kernels", FormKernels, true},
    {"hoist-scan", "work that depends on no state is done before a loop over time", HoistScan},
    {"inline-calls", "replaces calls of graph functions by their bodies", InlineCalls, true},
    {"isolate-kernels", "a kernel for every node", IsolateKernels, true},
    {"lower-to-loops", "loop IR for every kernel", LowerToLoops, true},
    {"plan-memory", "orders an entry's kernels and places every value", PlanMemory, true},
    {"recompute", "computes again what would be kept for long, where memory gets smaller by it",
     Recompute},
    {"schedule", "a plan for every kernel: contractions tiled, the rest in nests", Schedule, true},
    {"schedule-loops", "a plan of plain nests for every kernel", ScheduleLoops, true},
    {"simplify", "identities that are exact in IEEE arithmetic, constants folded", Simplify},
    {"sink-scan", "sums over the steps of a loop over time are done after it", SinkScan},
    {"split-rows", "steps through which rows go independently may be shared by threads", SplitRows},
    {"split-steps", "along which loop threads may share a large step of a kernel", SplitSteps},
});

constexpr std::string_view kGraph =
    "inline-calls,"     // first: the others look into one function at a time
    "hoist-scan,"       //
    "sink-scan,"        // both leave work that the next ones see as any other
    "canonical-order,"  // before cse, which compares operands in order
    "simplify,"         // leaves dead nodes behind
    "cse,"              //
    "dce";              // last: removes what simplify and cse left

constexpr std::string_view kDefault =
    "graph,"           // before kernels are formed: it does not look into them
    "form-kernels,"    //
    "lower-to-loops,"  // needs kernels
    "schedule,"        // needs loops
    "split-steps,"     // needs plans
    "recompute,"       // needs the scratch buffers of the plans
    "plan-memory,"     // needs the scratch buffers of the plans
    "split-rows";      // needs to know what shares memory

// The oracle: no pass that could change a value.
constexpr std::string_view kNone =
    "inline-calls,"  // kernels are formed in one function at a time
    "isolate-kernels,"
    "lower-to-loops,"
    "schedule-loops,"
    "plan-memory";

constexpr auto kPipelines = std::to_array<Pipeline>({
    {"default", "simplification, fusion, lowering, scheduling, memory", kDefault},
    {"graph", "the graph passes of default alone", kGraph},
    {"none", "one kernel an op, plain nests, memory: the oracle", kNone},
});

const Pipeline* FindPipeline(std::string_view name) {
  for (const Pipeline& p : kPipelines) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

// The parts between commas, in reverse order.
std::vector<std::string_view> Split(std::string_view names) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t comma = names.rfind(',');
    if (comma == std::string_view::npos) {
      parts.push_back(names);
      return parts;
    }
    parts.push_back(names.substr(comma + 1));
    names = names.substr(0, comma);
  }
}

std::string AllNames() {
  std::string text;
  for (const Pipeline& p : kPipelines)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", p.name);
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
  // Names still to be read, the next one last: a pipeline is replaced by its own.
  std::vector<std::string_view> pending = Split(names);
  while (!pending.empty()) {
    const std::string_view name = pending.back();
    pending.pop_back();
    if (const Pipeline* pipeline = FindPipeline(name)) {
      const std::vector<std::string_view> parts = Split(pipeline->passes);
      pending.insert(pending.end(), parts.begin(), parts.end());
    } else if (const Pass* pass = FindPass(name)) {
      passes.push_back(pass);
    } else {
      return absl::InvalidArgumentError(
          fmt::format("there is no pass or pipeline '{}'\n  help: there are {}", name, AllNames()));
    }
  }
  return passes;
}

}  // namespace gradus::passes
