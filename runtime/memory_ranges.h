// Whether the memory that a caller hands to compiled code can be used as the code will use it.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "runtime/abi.h"
#include "runtime/tensor.h"

namespace gradus::runtime {

// Bytes that a call reads or writes.
struct MemoryRange {
  uintptr_t begin, end;
  bool written;
  enum Kind { kArgument, kResult, kWorkspace } kind;
  int64_t index;
};

// Refuses an argument or result (number `index`) whose bytes overflow 64 bits, that has bytes and a
// null pointer, that is not aligned for its dtype, or reaches past the end of all memory.
absl::Status CheckMemory(const gradus_entry_info& info, bool is_result, int64_t index,
                         TensorView view);

// Refuses ranges that overlap where one of them is written. Sorts them.
absl::Status CheckOverlaps(const gradus_entry_info& info, std::vector<MemoryRange>& ranges);

}  // namespace gradus::runtime
