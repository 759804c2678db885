#include "runtime/memory_ranges.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "runtime/entry_info.h"

namespace gradus::runtime {
namespace {

std::string FormatRange(const gradus_entry_info& info, const MemoryRange& range) {
  switch (range.kind) {
    case MemoryRange::kArgument: return FormatArgument(info, range.index);
    case MemoryRange::kResult: return FormatResult(info, range.index);
    case MemoryRange::kWorkspace: break;
  }
  return "the workspace";
}

}  // namespace

absl::Status CheckMemory(const gradus_entry_info& info, bool is_result, int64_t index,
                         TensorView view) {
  const gradus_tensor_info& declared = is_result ? info.results[index] : info.arguments[index];
  auto refuse = [&](const std::string& what) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {} {}", info.name,
                    is_result ? FormatResult(info, index) : FormatArgument(info, index), what));
  };
  std::optional<int64_t> bytes = DenseBytes(view.dtype, view.shape);
  if (!bytes) {
    return refuse(fmt::format("is too large: the bytes of {} overflow 64 bits",
                              FormatType(view.dtype, view.shape)));
  }
  if (*bytes == 0) return absl::OkStatus();
  auto address = reinterpret_cast<uintptr_t>(view.data);
  if (address == 0) {
    return refuse(fmt::format("has a null pointer, expected {} bytes for {}", *bytes,
                              FormatType(view.dtype, view.shape)));
  }
  if (int64_t alignment = DTypeSize(static_cast<DType>(declared.dtype)); address % alignment != 0) {
    return refuse(
        fmt::format("is at address {:#x}, expected a multiple of {}", address, alignment));
  }
  if (address + static_cast<uintptr_t>(*bytes) < address) {
    return refuse(fmt::format("at address {:#x} does not have room for the {} bytes of {}", address,
                              *bytes, FormatType(view.dtype, view.shape)));
  }
  return absl::OkStatus();
}

// Sweeps over the ranges by address, keeping the one that reaches furthest among all and among the
// written ones: a range that starts before such an end overlaps it, and that is a fault if either
// is written.
absl::Status CheckOverlaps(const gradus_entry_info& info, std::vector<MemoryRange>& ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const MemoryRange& a, const MemoryRange& b) {
    return a.begin != b.begin ? a.begin < b.begin
                              : std::pair(a.kind, a.index) < std::pair(b.kind, b.index);
  });
  const MemoryRange* furthest = nullptr;
  const MemoryRange* furthest_written = nullptr;
  for (const MemoryRange& range : ranges) {
    const MemoryRange* against = range.written ? furthest : furthest_written;
    if (against != nullptr && range.begin < against->end) {
      const MemoryRange* first = &range;
      const MemoryRange* second = against;
      if (std::pair(first->kind, first->index) < std::pair(second->kind, second->index)) {
        std::swap(first, second);  // "result 0 overlaps argument 1", wherever they lie
      }
      return absl::InvalidArgumentError(
          fmt::format("{}: {} overlaps {}, expected memory of its own", info.name,
                      FormatRange(info, *first), FormatRange(info, *second)));
    }
    if (furthest == nullptr || range.end > furthest->end) furthest = &range;
    if (range.written && (furthest_written == nullptr || range.end > furthest_written->end)) {
      furthest_written = &range;
    }
  }
  return absl::OkStatus();
}

}  // namespace gradus::runtime
