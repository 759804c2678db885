// Reading gradus_entry_info, the record beside a compiled entry: is it sound, how do its types
// print, how many bytes of workspace does a call need.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/abi.h"

namespace gradus::runtime {

// Whether everything that a call relies on holds: version, counts, types, symbols and aliases in
// range, an aliased result of its argument's type. kInvalidArgument names the entry and the first
// fault.
absl::Status CheckEntryInfo(const gradus_entry_info& info);

// The functions below take an info that CheckEntryInfo accepts.

// "f32[B, 784]".
std::string FormatDeclaredType(const gradus_entry_info& info, const gradus_tensor_info& tensor);

// "argument 0 `x`", "result 1".
std::string FormatArgument(const gradus_entry_info& info, int64_t index);
std::string FormatResult(const gradus_entry_info& info, int64_t index);

// The size of the workspace at `dims`, one size of 0 or more a symbol; kInvalidArgument if it
// overflows.
absl::StatusOr<int64_t> EvaluateWorkspaceBytes(const gradus_entry_info& info,
                                               std::span<const int64_t> dims);
// How much of it is in use at once, at most.
absl::StatusOr<int64_t> EvaluateLiveBytes(const gradus_entry_info& info,
                                          std::span<const int64_t> dims);

}  // namespace gradus::runtime
