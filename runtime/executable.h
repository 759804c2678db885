// A compiled entry that can be called safely. Compiled code trusts its caller; an Executable checks
// everything that could make it read or write outside its memory, and names the entry and the
// argument that is wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/abi.h"
#include "runtime/tensor.h"

namespace gradus::runtime {

class BoundCall;

// Cheap to copy; calls from several threads at once are safe if their memory differs.
class Executable {
 public:
  // `keep_alive` owns the code and the info (a JIT's memory); null if they live as long as the
  // program.
  static absl::StatusOr<Executable> Create(gradus_entry_fn function, const gradus_entry_info* info,
                                           std::shared_ptr<const void> keep_alive = nullptr);

  std::string_view name() const { return info_->name; }
  const gradus_entry_info& info() const { return *info_; }

  // The sizes of the symbols, in the info's order, from the arguments' shapes (of which the
  // pointers are not looked at). Checks count, dtypes, ranks, sizes, and that arguments agree.
  absl::StatusOr<std::vector<int64_t>> BindSymbols(std::span<const TensorView> arguments) const;

  // The functions below take `dims` as BindSymbols returns them.
  absl::StatusOr<int64_t> WorkspaceBytes(std::span<const int64_t> dims) const;
  // The most of them that are in use at once.
  absl::StatusOr<int64_t> LiveBytes(std::span<const int64_t> dims) const;
  absl::StatusOr<std::vector<int64_t>> ResultShape(int64_t result,
                                                   std::span<const int64_t> dims) const;

  // Checks, then runs. A result that is declared to use the memory of an argument must have its
  // pointer; any other overlap of what is written with anything else is refused. Null pointers are
  // fine where nothing is stored. `workspace` has at least WorkspaceBytes bytes aligned to
  // kAlignment. `threads` may be null: one thread. After a thread's first call of this many
  // arguments there is no heap allocation.
  absl::Status Call(std::span<const TensorView> arguments,
                    std::span<const MutableTensorView> results, std::span<std::byte> workspace,
                    const gradus_threads* threads = nullptr) const;

  // Checks once; the bound call runs any number of times. The memory and `threads` must outlive it.
  absl::StatusOr<BoundCall> Bind(std::span<const TensorView> arguments,
                                 std::span<const MutableTensorView> results,
                                 std::span<std::byte> workspace,
                                 const gradus_threads* threads = nullptr) const;

  // Allocates results and workspace and runs: for tests and tools. An input whose memory a result
  // uses is moved there. Symbols must be bound by the inputs.
  absl::StatusOr<std::vector<Tensor>> Run(std::vector<Tensor> inputs,
                                          const gradus_threads* threads = nullptr) const;

 private:
  struct Scratch;
  class ScratchLease;

  Executable() = default;
  absl::Status CheckDims(std::span<const int64_t> dims) const;
  absl::Status BindArguments(std::span<const TensorView> arguments, Scratch& scratch) const;
  absl::Status BindResults(std::span<const TensorView> arguments,
                           std::span<const MutableTensorView> results, Scratch& scratch) const;
  absl::Status BindOne(const gradus_tensor_info& declared, bool is_result, int64_t index,
                       TensorView view, std::span<const TensorView> arguments,
                       std::span<int64_t> dims) const;
  absl::Status CheckAllBound(std::span<const int64_t> dims) const;
  absl::Status Check(std::span<const TensorView> arguments,
                     std::span<const MutableTensorView> results, std::span<std::byte> workspace,
                     const gradus_threads* threads, Scratch& scratch) const;

  gradus_entry_fn function_ = nullptr;
  const gradus_entry_info* info_ = nullptr;
  std::shared_ptr<const void> keep_alive_;
  std::vector<int32_t> result_of_argument_;  // the result that uses an argument's memory, or -1
};

// A call whose memory has been checked. Run does nothing but enter the compiled code.
class BoundCall {
 public:
  absl::Status Run() const {
    int32_t code = function_(in_.data(), out_.data(), dims_.data(), workspace_, threads_);
    return code == 0 ? absl::OkStatus() : Failed(code);
  }

  std::span<const int64_t> dims() const { return dims_; }

 private:
  friend class Executable;
  absl::Status Failed(int32_t code) const;

  gradus_entry_fn function_ = nullptr;
  const gradus_entry_info* info_ = nullptr;
  std::shared_ptr<const void> keep_alive_;
  std::vector<const void*> in_;
  std::vector<void*> out_;
  std::vector<int64_t> dims_;
  void* workspace_ = nullptr;
  const gradus_threads* threads_ = nullptr;
};

}  // namespace gradus::runtime
