// IDX, the format of the MNIST files (http://yann.lecun.com/exdb/mnist, "File formats"):
//
//   0, 0        two bytes
//   type        8 u8, 9 i8, 11 i16, 12 i32, 13 f32, 14 f64
//   axes        one byte, then the size of each axis in 4 bytes, big endian
//   data        row-major, big endian
//
// Files compressed with gzip, as MNIST is handed out, are read as they are.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/tensor.h"

namespace gradus::data {

struct IdxOptions {
  // f32 or f64: the numbers times `scale` (1.0 / 255 for pixels); i32 or i64: whole numbers alone,
  // as they are. Nothing: u8, i8, i16 and i32 as i32, f32 and f64 as they are.
  std::optional<runtime::DType> dtype;
  double scale = 1;
};

// Every length is compared with the file's real one before it sizes anything.
absl::StatusOr<runtime::Tensor> ReadIdx(std::string_view path, const IdxOptions& options = {});

// `name` stands for the file in error messages.
absl::StatusOr<runtime::Tensor> ParseIdx(std::string_view bytes, const IdxOptions& options = {},
                                         std::string_view name = "idx");

}  // namespace gradus::data
