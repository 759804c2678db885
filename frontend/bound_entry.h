#pragma once

// An entry bound to memory: checked when pointers or sizes change, entered directly otherwise,
// without allocation.

#include <deque>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "runtime/aligned_buffer.h"
#include "runtime/executable.h"
#include "runtime/tensor.h"

namespace gradus {

class BoundEntry {
 public:
  explicit BoundEntry(runtime::Executable executable) : executable_(std::move(executable)) {}
  const runtime::Executable& executable() const { return executable_; }
  // All arguments and all results of the entry; the memory must outlive the calls. `threads` may be
  // others from call to call (null: one).
  absl::Status Run(std::span<const runtime::TensorView> arguments,
                   std::span<const runtime::MutableTensorView> results,
                   const gradus_threads* threads);

 private:
  struct Binding {
    std::vector<const void*> pointers;         // of arguments, then results
    std::vector<std::vector<int64_t>> shapes;  // of arguments
    runtime::BoundCall call;
  };
  static bool Matches(const Binding& binding, std::span<const runtime::TensorView> arguments,
                      std::span<const runtime::MutableTensorView> results);
  absl::Status Bind(std::span<const runtime::TensorView> arguments,
                    std::span<const runtime::MutableTensorView> results,
                    const gradus_threads* threads);

  runtime::Executable executable_;
  runtime::AlignedBuffer workspace_;
  const gradus_threads* threads_ = nullptr;  // of the bindings
  std::deque<Binding> bindings_;  // a few: a full and a last batch, for training and for validation
};

}  // namespace gradus
