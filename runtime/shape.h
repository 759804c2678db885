// The arithmetic of sizes that come from outside: every product is checked before it sizes
// anything.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/dtype.h"

namespace gradus::runtime {

// "[2, 3, 4]".
std::string FormatShape(std::span<const int64_t> shape);

// "f32[2, 3, 4]".
std::string FormatType(DType dtype, std::span<const int64_t> shape);

// Bytes of a dense array, 0 if an axis is empty. Nothing if a size is negative, or if the product
// of the sizes that are not 0 overflows (so that strides never do, as in NumPy).
std::optional<int64_t> DenseBytes(DType dtype, std::span<const int64_t> shape);

// The same, with an error that says which.
absl::StatusOr<int64_t> CheckedDenseBytes(DType dtype, std::span<const int64_t> shape);

}  // namespace gradus::runtime
