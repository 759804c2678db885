// Tensors in memory. `Tensor` owns a dense row-major array aligned to 64 bytes; `TensorView` and
// `MutableTensorView` name memory that somebody else owns, a Tensor's or the caller's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/aligned_buffer.h"
#include "runtime/dtype.h"
#include "runtime/shape.h"

namespace gradus::runtime {

// Aborts with a message if they differ: asking a tensor for another type than it holds is a bug.
void CheckDType(DType held, DType asked);

class Tensor {
 public:
  // No tensor, as after a move: it has no elements, and what takes tensors refuses it.
  Tensor() = default;

  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(Tensor&&) noexcept = default;
  Tensor(const Tensor&) = delete;  // copies cost: see Clone
  Tensor& operator=(const Tensor&) = delete;

  // Uninitialised. Negative sizes and byte counts that overflow give kInvalidArgument, no memory
  // kResourceExhausted; so do the functions below.
  static absl::StatusOr<Tensor> Create(DType dtype, std::vector<int64_t> shape);
  static absl::StatusOr<Tensor> Zeros(DType dtype, std::vector<int64_t> shape);

  // `values` in row-major order, as many as the shape has elements.
  template <class T>
  static absl::StatusOr<Tensor> FromVector(std::vector<int64_t> shape,
                                           const std::vector<T>& values);
  template <class T>
  static absl::StatusOr<Tensor> FromSpan(std::vector<int64_t> shape, std::span<const T> values);

  absl::StatusOr<Tensor> Clone() const;

  DType dtype() const { return dtype_; }
  const std::vector<int64_t>& shape() const { return shape_; }
  int64_t rank() const { return static_cast<int64_t>(shape_.size()); }
  int64_t byte_size() const { return static_cast<int64_t>(buffer_.size()); }
  int64_t num_elements() const { return byte_size() / DTypeSize(dtype_); }

  // Null if there are no elements.
  void* raw() { return buffer_.data(); }
  const void* raw() const { return buffer_.data(); }

  // The elements; aborts if T is not the element type (bool or uint8_t for i1).
  template <class T>
  std::span<T> data() {
    CheckDType(dtype_, kDTypeOf<T>);
    return {reinterpret_cast<T*>(buffer_.data()), static_cast<size_t>(num_elements())};
  }
  template <class T>
  std::span<const T> data() const {
    CheckDType(dtype_, kDTypeOf<T>);
    return {reinterpret_cast<const T*>(buffer_.data()), static_cast<size_t>(num_elements())};
  }

 private:
  static absl::Status CheckCount(const Tensor& tensor, size_t count);

  DType dtype_ = DType::kF32;
  std::vector<int64_t> shape_;
  AlignedBuffer buffer_;
};

// Memory to read. The shape is not owned either: it must live as long as the view.
struct TensorView {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  std::span<const int64_t> shape;

  TensorView() = default;
  TensorView(const void* data_in, DType dtype_in, std::span<const int64_t> shape_in)
      : data(data_in), dtype(dtype_in), shape(shape_in) {}
  TensorView(const Tensor& tensor)  // implicit, so that a Tensor can stand where memory is read
      : data(tensor.raw()), dtype(tensor.dtype()), shape(tensor.shape()) {}
};

// Memory to write.
struct MutableTensorView {
  void* data = nullptr;
  DType dtype = DType::kF32;
  std::span<const int64_t> shape;

  MutableTensorView() = default;
  MutableTensorView(void* data_in, DType dtype_in, std::span<const int64_t> shape_in)
      : data(data_in), dtype(dtype_in), shape(shape_in) {}
  MutableTensorView(Tensor& tensor)
      : data(tensor.raw()), dtype(tensor.dtype()), shape(tensor.shape()) {}
  operator TensorView() const { return {data, dtype, shape}; }
};

template <class T>
absl::StatusOr<Tensor> Tensor::FromVector(std::vector<int64_t> shape,
                                          const std::vector<T>& values) {
  absl::StatusOr<Tensor> tensor = Create(kDTypeOf<T>, std::move(shape));
  if (!tensor.ok()) return tensor;
  if (absl::Status status = CheckCount(*tensor, values.size()); !status.ok()) return status;
  std::copy(values.begin(), values.end(), tensor->data<T>().begin());
  return tensor;
}

template <class T>
absl::StatusOr<Tensor> Tensor::FromSpan(std::vector<int64_t> shape, std::span<const T> values) {
  absl::StatusOr<Tensor> tensor = Create(kDTypeOf<T>, std::move(shape));
  if (!tensor.ok()) return tensor;
  if (absl::Status status = CheckCount(*tensor, values.size()); !status.ok()) return status;
  std::copy(values.begin(), values.end(), tensor->data<T>().begin());
  return tensor;
}

}  // namespace gradus::runtime
