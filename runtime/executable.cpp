#include "runtime/executable.h"

#include <string>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "runtime/entry_info.h"
#include "runtime/memory_ranges.h"

namespace gradus::runtime {
namespace {

constexpr int64_t kUnbound = -1;

absl::Status CallFailed(const gradus_entry_info& info, int32_t code) {
  return absl::InternalError(
      fmt::format("{}: compiled code returned {}, expected 0", info.name, code));
}

// "x, w, b" for a message about their number.
std::string FormatNames(const gradus_tensor_info* tensors, int32_t count) {
  std::vector<std::string> names;
  for (int32_t i = 0; i < count; ++i) {
    bool named = tensors[i].name != nullptr && tensors[i].name[0] != '\0';
    names.emplace_back(named ? tensors[i].name : "unnamed");
  }
  return count == 0 ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

// What a call needs beside its arguments.
struct Executable::Scratch {
  std::vector<const void*> in;
  std::vector<void*> out;
  std::vector<int64_t> dims;
  std::vector<MemoryRange> ranges;
  void* workspace = nullptr;
};

// Lends the calling thread's scratch, so that calls reuse its memory. It is taken away while it is
// lent: compiled code may call back (through gradus_threads) into a program that calls another
// entry on this thread.
class Executable::ScratchLease {
 public:
  ScratchLease() : scratch_(std::exchange(Kept(), nullptr)) {
    if (scratch_ == nullptr) scratch_ = std::make_unique<Scratch>();
  }
  ~ScratchLease() { Kept() = std::move(scratch_); }
  ScratchLease(const ScratchLease&) = delete;
  ScratchLease& operator=(const ScratchLease&) = delete;
  Scratch& operator*() { return *scratch_; }

 private:
  static std::unique_ptr<Scratch>& Kept() {
    static thread_local std::unique_ptr<Scratch> kept;
    return kept;
  }
  std::unique_ptr<Scratch> scratch_;
};

absl::StatusOr<Executable> Executable::Create(gradus_entry_fn function,
                                              const gradus_entry_info* info,
                                              std::shared_ptr<const void> keep_alive) {
  if (function == nullptr || info == nullptr) {
    return absl::InvalidArgumentError(
        "a compiled entry needs a function and its info, got a null pointer");
  }
  if (absl::Status status = CheckEntryInfo(*info); !status.ok()) return status;
  Executable executable;
  executable.function_ = function;
  executable.info_ = info;
  executable.keep_alive_ = std::move(keep_alive);
  executable.result_of_argument_.assign(static_cast<size_t>(info->argument_count), -1);
  for (int32_t i = 0; i < info->result_count; ++i) {
    if (info->results[i].alias >= 0) executable.result_of_argument_[info->results[i].alias] = i;
  }
  return executable;
}

// ---- shapes ----

// Checks the view's type against the declared one and binds the symbols that it meets first.
// `arguments` are those bound before, for the message when two disagree.
absl::Status Executable::BindOne(const gradus_tensor_info& declared, bool is_result, int64_t index,
                                 TensorView view, std::span<const TensorView> arguments,
                                 std::span<int64_t> dims) const {
  auto refuse = [&](const std::string& what) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {} {}", info_->name,
                    is_result ? FormatResult(*info_, index) : FormatArgument(*info_, index), what));
  };
  if (static_cast<int32_t>(view.dtype) != declared.dtype) {
    return refuse(fmt::format("is {}, expected {}", FormatType(view.dtype, view.shape),
                              FormatDeclaredType(*info_, declared)));
  }
  auto declared_shape = [&] {
    return FormatDeclaredType(*info_, declared).substr(DTypeName(view.dtype).size());
  };
  if (view.shape.size() != static_cast<size_t>(declared.rank)) {
    return refuse(fmt::format("has {} axes {}, expected {} {}", view.shape.size(),
                              FormatShape(view.shape), declared.rank, declared_shape()));
  }
  for (int32_t axis = 0; axis < declared.rank; ++axis) {
    const gradus_dim& dim = declared.dims[axis];
    int64_t size = view.shape[axis];
    if (size < 0) {
      return refuse(fmt::format("has a negative size on axis {} {}, expected {}", axis,
                                FormatShape(view.shape), declared_shape()));
    }
    if (dim.symbol < 0) {
      if (size == dim.size) continue;
      return refuse(fmt::format("has size {} on axis {} {}, expected {} {}", size, axis,
                                FormatShape(view.shape), dim.size, declared_shape()));
    }
    if (dims[dim.symbol] == kUnbound) {
      dims[dim.symbol] = size;
    } else if (dims[dim.symbol] != size) {
      std::string origin;
      for (size_t i = 0; i < arguments.size() && origin.empty(); ++i) {
        const gradus_tensor_info& other = info_->arguments[i];
        for (int32_t a = 0; a < other.rank && origin.empty(); ++a) {
          if (other.dims[a].symbol == dim.symbol) {
            origin = fmt::format(" from axis {} of {} {}", a, FormatArgument(*info_, i),
                                 FormatShape(arguments[i].shape));
          }
        }
      }
      return refuse(fmt::format("has size {} on axis {} {}, expected {} = {}{}", size, axis,
                                FormatShape(view.shape), info_->symbols[dim.symbol],
                                dims[dim.symbol], origin));
    }
  }
  return absl::OkStatus();
}

absl::Status Executable::BindArguments(std::span<const TensorView> arguments,
                                       Scratch& scratch) const {
  if (arguments.size() != static_cast<size_t>(info_->argument_count)) {
    return absl::InvalidArgumentError(
        fmt::format("{}: got {} arguments, expected {} ({})", info_->name, arguments.size(),
                    info_->argument_count, FormatNames(info_->arguments, info_->argument_count)));
  }
  scratch.dims.assign(static_cast<size_t>(info_->symbol_count), kUnbound);
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::Status status = BindOne(info_->arguments[i], false, static_cast<int64_t>(i), arguments[i],
                                  arguments.first(i + 1), scratch.dims);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Executable::BindResults(std::span<const TensorView> arguments,
                                     std::span<const MutableTensorView> results,
                                     Scratch& scratch) const {
  if (results.size() != static_cast<size_t>(info_->result_count)) {
    return absl::InvalidArgumentError(
        fmt::format("{}: got {} results, expected {} ({})", info_->name, results.size(),
                    info_->result_count, FormatNames(info_->results, info_->result_count)));
  }
  for (size_t i = 0; i < results.size(); ++i) {
    absl::Status status = BindOne(info_->results[i], true, static_cast<int64_t>(i), results[i],
                                  arguments, scratch.dims);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Executable::CheckAllBound(std::span<const int64_t> dims) const {
  for (size_t s = 0; s < dims.size(); ++s) {
    if (dims[s] == kUnbound) {
      return absl::InvalidArgumentError(
          fmt::format("{}: no argument has the symbol {} in its shape, so its size is not known",
                      info_->name, info_->symbols[s]));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> Executable::BindSymbols(
    std::span<const TensorView> arguments) const {
  Scratch scratch;
  if (absl::Status status = BindArguments(arguments, scratch); !status.ok()) return status;
  if (absl::Status status = CheckAllBound(scratch.dims); !status.ok()) return status;
  return std::move(scratch.dims);
}

absl::Status Executable::CheckDims(std::span<const int64_t> dims) const {
  if (dims.size() != static_cast<size_t>(info_->symbol_count)) {
    return absl::InvalidArgumentError(fmt::format("{}: got sizes for {} symbols, expected {}",
                                                  info_->name, dims.size(), info_->symbol_count));
  }
  for (size_t s = 0; s < dims.size(); ++s) {
    if (dims[s] < 0) {
      return absl::InvalidArgumentError(fmt::format("{}: symbol {} has size {}, expected 0 or more",
                                                    info_->name, info_->symbols[s], dims[s]));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Executable::WorkspaceBytes(std::span<const int64_t> dims) const {
  if (absl::Status status = CheckDims(dims); !status.ok()) return status;
  return EvaluateWorkspaceBytes(*info_, dims);
}

absl::StatusOr<int64_t> Executable::LiveBytes(std::span<const int64_t> dims) const {
  if (absl::Status status = CheckDims(dims); !status.ok()) return status;
  return EvaluateLiveBytes(*info_, dims);
}

absl::StatusOr<std::vector<int64_t>> Executable::ResultShape(int64_t result,
                                                             std::span<const int64_t> dims) const {
  if (absl::Status status = CheckDims(dims); !status.ok()) return status;
  if (result < 0 || result >= info_->result_count) {
    return absl::InvalidArgumentError(fmt::format("{}: there is no result {}, it has {}",
                                                  info_->name, result, info_->result_count));
  }
  const gradus_tensor_info& declared = info_->results[result];
  std::vector<int64_t> shape;
  for (int32_t axis = 0; axis < declared.rank; ++axis) {
    const gradus_dim& dim = declared.dims[axis];
    shape.push_back(dim.symbol >= 0 ? dims[dim.symbol] : dim.size);
  }
  return shape;
}

// ---- memory ----

absl::Status Executable::Check(std::span<const TensorView> arguments,
                               std::span<const MutableTensorView> results,
                               std::span<std::byte> workspace, const gradus_threads* threads,
                               Scratch& scratch) const {
  // 1. Counts, types and symbols.
  if (absl::Status status = BindArguments(arguments, scratch); !status.ok()) return status;
  if (absl::Status status = BindResults(arguments, results, scratch); !status.ok()) return status;
  if (absl::Status status = CheckAllBound(scratch.dims); !status.ok()) return status;

  // 2. Each tensor's memory by itself. An argument whose memory a result uses counts as that
  // result.
  scratch.in.clear();
  scratch.out.clear();
  scratch.ranges.clear();
  auto add_range = [&](const void* data, int64_t bytes, bool written, MemoryRange::Kind kind,
                       size_t index) {
    auto begin = reinterpret_cast<uintptr_t>(data);
    if (bytes > 0) {
      scratch.ranges.push_back({begin, begin + static_cast<uintptr_t>(bytes), written, kind,
                                static_cast<int64_t>(index)});
    }
  };
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::Status status = CheckMemory(*info_, false, static_cast<int64_t>(i), arguments[i]);
    if (!status.ok()) return status;
    scratch.in.push_back(arguments[i].data);
    if (result_of_argument_[i] < 0) {
      add_range(arguments[i].data, *DenseBytes(arguments[i].dtype, arguments[i].shape), false,
                MemoryRange::kArgument, i);
    }
  }
  for (size_t i = 0; i < results.size(); ++i) {
    absl::Status status = CheckMemory(*info_, true, static_cast<int64_t>(i), results[i]);
    if (!status.ok()) return status;
    int32_t alias = info_->results[i].alias;
    if (alias >= 0 && results[i].data != arguments[alias].data) {
      return absl::InvalidArgumentError(fmt::format(
          "{}: {} is written in place of {}, but its pointer differs; pass the argument's pointer",
          info_->name, FormatResult(*info_, static_cast<int64_t>(i)),
          FormatArgument(*info_, alias)));
    }
    scratch.out.push_back(results[i].data);
    add_range(results[i].data, *DenseBytes(results[i].dtype, results[i].shape), true,
              MemoryRange::kResult, i);
  }

  // 3. The workspace.
  absl::StatusOr<int64_t> needed = EvaluateWorkspaceBytes(*info_, scratch.dims);
  if (!needed.ok()) return needed.status();
  if (workspace.size() < static_cast<size_t>(*needed)) {
    return absl::InvalidArgumentError(fmt::format("{}: the workspace has {} bytes, expected {}",
                                                  info_->name, workspace.size(), *needed));
  }
  if (*needed > 0 && reinterpret_cast<uintptr_t>(workspace.data()) % kAlignment != 0) {
    return absl::InvalidArgumentError(
        fmt::format("{}: the workspace is at address {:#x}, expected a multiple of {}", info_->name,
                    reinterpret_cast<uintptr_t>(workspace.data()), kAlignment));
  }
  scratch.workspace = workspace.data();
  add_range(workspace.data(), *needed, true, MemoryRange::kWorkspace, 0);

  // 4. All memory together.
  if (absl::Status status = CheckOverlaps(*info_, scratch.ranges); !status.ok()) return status;
  if (threads != nullptr && threads->parallel_for == nullptr) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: threads has no parallel_for, expected a function or null threads", info_->name));
  }
  return absl::OkStatus();
}

// ---- calls ----

absl::Status Executable::Call(std::span<const TensorView> arguments,
                              std::span<const MutableTensorView> results,
                              std::span<std::byte> workspace, const gradus_threads* threads) const {
  ScratchLease lease;
  Scratch& scratch = *lease;
  absl::Status status = Check(arguments, results, workspace, threads, scratch);
  if (!status.ok()) return status;
  int32_t code = function_(scratch.in.data(), scratch.out.data(), scratch.dims.data(),
                           scratch.workspace, threads);
  return code == 0 ? absl::OkStatus() : CallFailed(*info_, code);
}

absl::StatusOr<BoundCall> Executable::Bind(std::span<const TensorView> arguments,
                                           std::span<const MutableTensorView> results,
                                           std::span<std::byte> workspace,
                                           const gradus_threads* threads) const {
  Scratch scratch;
  absl::Status status = Check(arguments, results, workspace, threads, scratch);
  if (!status.ok()) return status;
  BoundCall call;
  call.function_ = function_;
  call.info_ = info_;
  call.keep_alive_ = keep_alive_;
  call.in_ = std::move(scratch.in);
  call.out_ = std::move(scratch.out);
  call.dims_ = std::move(scratch.dims);
  call.workspace_ = scratch.workspace;
  call.threads_ = threads;
  return call;
}

absl::Status BoundCall::Failed(int32_t code) const { return CallFailed(*info_, code); }

absl::StatusOr<std::vector<Tensor>> Executable::Run(std::vector<Tensor> inputs,
                                                    const gradus_threads* threads) const {
  std::vector<TensorView> arguments(inputs.begin(), inputs.end());
  absl::StatusOr<std::vector<int64_t>> dims = BindSymbols(arguments);
  if (!dims.ok()) return dims.status();
  absl::StatusOr<int64_t> workspace_bytes = WorkspaceBytes(*dims);
  if (!workspace_bytes.ok()) return workspace_bytes.status();
  absl::StatusOr<AlignedBuffer> workspace = AlignedBuffer::Create(*workspace_bytes);
  if (!workspace.ok()) return workspace.status();

  std::vector<Tensor> outputs(static_cast<size_t>(info_->result_count));
  std::vector<MutableTensorView> results;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const gradus_tensor_info& declared = info_->results[i];
    if (declared.alias >= 0) {
      results.emplace_back(inputs[declared.alias]);
      continue;
    }
    absl::StatusOr<std::vector<int64_t>> shape = ResultShape(static_cast<int64_t>(i), *dims);
    if (!shape.ok()) return shape.status();
    absl::StatusOr<Tensor> output =
        Tensor::Create(static_cast<DType>(declared.dtype), *std::move(shape));
    if (!output.ok()) return output.status();
    outputs[i] = *std::move(output);
    results.emplace_back(outputs[i]);
  }
  absl::Status status = Call(arguments, results, workspace->span(), threads);
  if (!status.ok()) return status;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (info_->results[i].alias >= 0) outputs[i] = std::move(inputs[info_->results[i].alias]);
  }
  return outputs;
}

}  // namespace gradus::runtime
