// Safetensors, named tensors in one file that PyTorch, JAX and others read and write, too:
// https://github.com/huggingface/safetensors (README, "Format").
//
//   8 bytes     length of the header, little endian
//   header      JSON: {"__metadata__": {"key": "text"}, "name": {"dtype": "F32", "shape": [2, 3],
//               "data_offsets": [0, 24]}, ...}, padded with spaces
//   data        the tensors, little endian, row-major, without gaps
//
// A file is looked at as a whole before any tensor of it is made: every tensor's bytes are its
// shape's, they overlap nowhere and leave no gap, and the file ends where the last one does.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/files.h"
#include "runtime/safetensors_header.h"
#include "runtime/tensor.h"

namespace gradus::runtime {

using SafetensorsMetadata = std::map<std::string, std::string, std::less<>>;

class Safetensors {
 public:
  Safetensors(Safetensors&&) noexcept = default;
  Safetensors& operator=(Safetensors&&) noexcept = default;

  // A file that says more than is true costs no more memory than its real length.
  static absl::StatusOr<Safetensors> Read(std::string_view path, int64_t max_bytes = kNoLimit);
  // `name` stands for the file in error messages.
  static absl::StatusOr<Safetensors> Parse(std::string bytes,
                                           std::string_view name = "safetensors");

  // In the order of the header.
  std::span<const SafetensorsEntry> tensors() const { return header_.tensors; }
  const SafetensorsMetadata& metadata() const { return header_.metadata; }
  const SafetensorsEntry* Find(std::string_view name) const;

  // A copy of one tensor. F32, F64, I32, I64 and BOOL as they are; F16, BF16, F8_E4M3 and F8_E5M2
  // as f32, I8, U8, I16 and U16 as i32, U32 as i64, all exactly, U64 as i64 if every value fits.
  // Errors name the file and the tensor; kNotFound lists what there is.
  absl::StatusOr<Tensor> Load(std::string_view name) const;

  const std::string& name() const { return name_; }

 private:
  Safetensors() = default;
  static absl::StatusOr<Safetensors> ParseOrThrow(std::string bytes, std::string_view name);

  std::string name_;
  std::string bytes_;
  SafetensorsHeader header_;
  std::map<std::string_view, size_t> by_name_;  // into header_.tensors, whose names do not move
  size_t data_at_ = 0;
};

struct NamedTensorView {
  std::string name;
  TensorView tensor;
};

// Widest types first, then by name, so that every tensor is aligned; the same tensors give the same
// bytes. Errors: two of one name, a name or text that is not UTF-8, memory that is not there.
absl::StatusOr<std::string> SerializeSafetensors(std::span<const NamedTensorView> tensors,
                                                 const SafetensorsMetadata& metadata = {});

// Replaces the file as a whole (WriteFileAtomically).
absl::Status WriteSafetensors(std::string_view path, std::span<const NamedTensorView> tensors,
                              const SafetensorsMetadata& metadata = {});

}  // namespace gradus::runtime
