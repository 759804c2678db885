#include "runtime/tensor.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "fmt/format.h"

namespace gradus::runtime {

void CheckDType(DType held, DType asked) {
  if (held == asked) [[likely]]
    return;
  std::fprintf(stderr, "gradus: a tensor of %s was read as %s\n",
               std::string(DTypeName(held)).c_str(), std::string(DTypeName(asked)).c_str());
  std::abort();
}

absl::StatusOr<Tensor> Tensor::Create(DType dtype, std::vector<int64_t> shape) {
  absl::StatusOr<int64_t> bytes = CheckedDenseBytes(dtype, shape);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<AlignedBuffer> buffer = AlignedBuffer::Create(*bytes);
  if (!buffer.ok()) {
    return absl::Status(
        buffer.status().code(),
        fmt::format("{}: {}", FormatType(dtype, shape), std::string(buffer.status().message())));
  }
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.shape_ = std::move(shape);
  tensor.buffer_ = *std::move(buffer);
  return tensor;
}

absl::StatusOr<Tensor> Tensor::Zeros(DType dtype, std::vector<int64_t> shape) {
  absl::StatusOr<Tensor> tensor = Create(dtype, std::move(shape));
  if (tensor.ok() && tensor->byte_size() > 0) {
    std::memset(tensor->raw(), 0, static_cast<size_t>(tensor->byte_size()));
  }
  return tensor;
}

absl::StatusOr<Tensor> Tensor::Clone() const {
  if (raw() == nullptr && DenseBytes(dtype_, shape_) != 0) return Tensor();
  absl::StatusOr<Tensor> copy = Create(dtype_, shape_);
  if (copy.ok() && byte_size() > 0) {
    std::memcpy(copy->raw(), raw(), static_cast<size_t>(byte_size()));
  }
  return copy;
}

absl::Status Tensor::CheckCount(const Tensor& tensor, size_t count) {
  if (static_cast<size_t>(tensor.num_elements()) == count) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{} holds {} elements, got {} values",
                                                FormatType(tensor.dtype(), tensor.shape()),
                                                tensor.num_elements(), count));
}

}  // namespace gradus::runtime
