#pragma once

// Several compiled versions of one function on the same arrays: what tuning times. Private to it.

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/function.h"
#include "passes/pass.h"
#include "runtime/aligned_buffer.h"
#include "runtime/executable.h"
#include "runtime/tensor.h"

namespace gradus {

class CallTrials {
 public:
  // `versions` of `entry`. Its arrays have the sizes that `context` gives symbols; all versions
  // share them. Floats are small positive numbers, so that sums, quotients and roots stay moderate;
  // integers are 0, which every index may be. `others_bytes`: what else a program touches between
  // two calls, about, so that that much of the caches is not the function's.
  static absl::StatusOr<CallTrials> Create(std::span<const runtime::Executable> versions,
                                           const ir::Function& entry, int64_t others_bytes,
                                           const passes::PassContext& context);

  // Whether Prepare leaves caches as the rest of a program does, so that a second call in a row
  // finds something else.
  bool is_cold() const { return others_.size() > 0; }
  // Fills what calls update in place anew, so that a thousand of them do not run away; calls once
  // if `warm`, which brings data and code into the caches; then touches what a program does.
  absl::Status Prepare(size_t version, bool warm);
  absl::Status Run(size_t version) const { return calls_[version].Run(); }

 private:
  absl::Status Allocate(const ir::Function& entry, const passes::PassContext& context);
  absl::Status Bind(std::span<const runtime::Executable> versions);

  std::vector<runtime::Tensor> arguments_, results_;
  std::vector<runtime::MutableTensorView> out_;
  std::vector<size_t> updated_;  // arguments
  runtime::AlignedBuffer workspace_, others_;
  std::vector<runtime::BoundCall> calls_;
};

}  // namespace gradus
