// NumPy's array files (.npy):
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//
// Reads format versions 1.0, 2.0 and 3.0, C and Fortran order, either byte order. Element types:
// bool (as i1), i4, i8, f4, f8 as they are; i1, u1, i2, u2 as i32, u4 as i64 and f2 as f32, all
// exactly. Everything else, Python objects above all, is refused by name, and so is a file whose
// length is not the one that its header asks for.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/tensor.h"

namespace gradus::runtime {

absl::StatusOr<Tensor> ReadNpy(std::string_view path);

// `name` stands for the file in error messages.
absl::StatusOr<Tensor> ParseNpy(std::string_view bytes, std::string_view name = "npy");

// Version 1.0, little endian, C order.
absl::StatusOr<std::string> SerializeNpy(TensorView tensor);

absl::Status WriteNpy(std::string_view path, TensorView tensor);

}  // namespace gradus::runtime
