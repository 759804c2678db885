#pragma once

// The pipelines by name, all passes, and the one runner: it verifies, dumps what changed and times.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "passes/pass.h"

namespace gradus::passes {

std::span<const Pass> AllPasses();  // sorted by name
const Pass* FindPass(std::string_view name);

struct Pipeline {
  std::string_view name, summary;
  std::string_view passes;  // comma-separated
};
std::span<const Pipeline> AllPipelines();

struct PipelineOptions {
  bool verify_each = true;
  bool print_after_all = false;
  bool print_after_change = false;
  // Dumps are in folded form (ir/folding.h), without locations; else a line a node with locations.
  bool print_folded = true;
  // One file a pass that changed something: 03-cse.ir; what goes wrong is written there, too (else
  // to /tmp).
  std::string dump_dir;
  bool time_passes = false;
  int bisect_limit = -1;  // run only the first N passes (of those that may be left out)
  std::function<void(std::string_view)> print;  // receives dumps and tables; default: stderr
};

// Comma-separated names of passes and pipelines:
//   default  simplification, fusion, lowering, scheduling, memory
//   none     one kernel an op, plain nests, memory: the oracle that everything is compared with
//   graph    the graph passes of `default` alone
absl::StatusOr<std::vector<const Pass*>> ParsePipeline(std::string_view names);
// Errors: a pass's own, for what the user can mend; internal ones, where a pass leaves a module
// that does not verify, name the pass and a file with the IR.
absl::Status RunPipeline(ir::Module& module, std::span<const Pass* const> pipeline,
                         const PassContext& context, const PipelineOptions& options = {});
absl::Status RunPipeline(ir::Module& module, std::string_view names, const PassContext& context,
                         const PipelineOptions& options = {});

}  // namespace gradus::passes
