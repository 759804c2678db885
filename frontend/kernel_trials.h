#pragma once

// One kernel of a module with several schedules side by side, each an entry that can be called:
// what tuning times. Private to tune.cpp.

#include <map>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/function.h"
#include "passes/pass.h"
#include "runtime/aligned_buffer.h"
#include "runtime/executable.h"
#include "runtime/tensor.h"

namespace gradus {

using KernelChoices = std::vector<passes::scheduling::Choice>;  // one a product of the kernel

// A kernel as a program calls it.
struct KernelUse {
  const ir::Function* kernel = nullptr;  // with loops
  bool in_loop = false;                  // a loop over time calls it
  // Results that replace an argument of the program in its place: result to argument.
  std::map<int, int> in_place;
};

class KernelTrials {
 public:
  // Compiles the kernel once a schedule. Its arrays have the sizes that `context` gives symbols;
  // all schedules share them. Floats are small positive numbers, so that sums, quotients and roots
  // stay moderate; integers are 0, which every index may be.
  static absl::StatusOr<KernelTrials> Create(const KernelUse& use,
                                             const passes::PassContext& context,
                                             std::span<const KernelChoices> schedules);

  size_t size() const { return calls_.size(); }
  // Fills what calls update in place anew, so that a thousand of them do not run away, and calls
  // once, which brings data and code into the caches.
  absl::Status Prepare(size_t schedule);
  absl::Status Run(size_t schedule) const { return calls_[schedule].Run(); }

 private:
  absl::Status Allocate(std::span<const runtime::Executable> executables, const ir::Function& entry,
                        const passes::PassContext& context);

  std::vector<runtime::Tensor> arguments_, results_;
  std::vector<size_t> updated_;  // arguments
  runtime::AlignedBuffer workspace_;
  std::vector<runtime::BoundCall> calls_;
};

}  // namespace gradus
