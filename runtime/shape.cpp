#include "runtime/shape.h"

#include "absl/status/status.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace gradus::runtime {

std::string FormatShape(std::span<const int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ", "));
}

std::string FormatType(DType dtype, std::span<const int64_t> shape) {
  return fmt::format("{}{}", DTypeName(dtype), FormatShape(shape));
}

std::optional<int64_t> DenseBytes(DType dtype, std::span<const int64_t> shape) {
  int64_t bytes = DTypeSize(dtype);
  bool empty = false;
  for (int64_t size : shape) {
    if (size < 0) return std::nullopt;
    if (size == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(bytes, size, &bytes)) {
      return std::nullopt;
    }
  }
  return empty ? 0 : bytes;
}

absl::StatusOr<int64_t> CheckedDenseBytes(DType dtype, std::span<const int64_t> shape) {
  if (std::optional<int64_t> bytes = DenseBytes(dtype, shape)) return *bytes;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] < 0) {
      return absl::InvalidArgumentError(fmt::format(
          "{} has a negative size on axis {}, expected 0 or more", FormatType(dtype, shape), axis));
    }
  }
  return absl::InvalidArgumentError(
      fmt::format("{} is too large: its bytes overflow 64 bits", FormatType(dtype, shape)));
}

}  // namespace gradus::runtime
