#pragma once

// Schedules of a program's products by measurement on this machine, for sizes that are named:
//
// 1. lower a copy of the program to loops; take the kernels whose products are 1 % or more of an
//    entry's operations, the largest first;
// 2. look each up in the cache, under a hash of its loops, the sizes, the target and the compiler,
//    so that programs share what was found;
// 3. else run it with other schedules than the tables' (passes/scheduling/candidates.h) on arrays
//    of these sizes, in turns with that, on one thread;
// 4. take one that in two separate rounds needs 3 % less time than the tables' or still less, and,
//    on x86-64, within the program, too, where caches are as other kernels leave them;
// 5. remember it, or that there is none.
//
// Results do not change by it: whatever is chosen, a sum adds the same terms in the same order (but
// where the other layout of B is chosen for a sum over several loops, which may turn them round).

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/module.h"
#include "passes/pass.h"

namespace gradus {

// How long a candidate takes (any unit; candidates of a kernel are compared); it alone decides.
// `choices` of the kernel's products, all open: the tables' schedule. `run` calls it once.
using TuneTimer = std::function<absl::StatusOr<double>(
    std::span<const passes::scheduling::Choice> choices, const std::function<absl::Status()>& run)>;

struct TuneOptions {
  // No measurement starts later than that; kernels that are not reached stay as the tables say, and
  // are measured next time.
  double seconds = 60;
  TuneTimer timer;  // none: wall time
};

struct Tuning {
  // Of the kernels for which something better was found: PassContext::choices.
  std::map<std::string, std::vector<passes::scheduling::Choice>, std::less<>> choices;
  int remembered = 0, measured = 0, left = 0;  // kernels; left: time was up, or no memory
  double ms = 0;                               // that tuning took
};

// `module` as it is before any pass, which stays as it is; `pipeline`, `context` as for
// passes::RunPipeline. Pipelines without `schedule` have nothing to tune. An empty cache_dir: no
// cache, everything is measured.
absl::StatusOr<Tuning> Tune(const ir::Module& module, std::string_view pipeline,
                            const passes::PassContext& context, const std::string& cache_dir,
                            const TuneOptions& options);

// A line a kernel, sorted: "kernel: tile=12x2 (8 % less time than 6x4)". It decides the code.
std::string ToString(const Tuning& tuning);

}  // namespace gradus
