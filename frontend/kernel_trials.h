#pragma once

// One kernel of a module with several schedules side by side, each of which can be called. Private
// to tuning.

#include <map>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/call_trials.h"
#include "ir/function.h"
#include "passes/pass.h"

namespace gradus {

using KernelChoices = std::vector<passes::scheduling::Choice>;  // one a product of the kernel

// A kernel as a program calls it.
struct KernelUse {
  const ir::Function* kernel = nullptr;  // with loops
  bool in_loop = false;                  // a loop over time calls it
  // Results that replace an argument of the program in its place: result to argument.
  std::map<int, int> in_place;
  int64_t others_bytes = 0;  // see CallTrials::Create
};

// Compiles the kernel once a schedule.
absl::StatusOr<CallTrials> TryKernel(const KernelUse& use, const passes::PassContext& context,
                                     std::span<const KernelChoices> schedules);

}  // namespace gradus
