// Owned memory aligned for vector code, in huge pages where it is large and the system has them:
// what tensors and workspaces are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "absl/status/statusor.h"
#include "runtime/abi.h"

namespace gradus::runtime {

inline constexpr size_t kAlignment = GRADUS_WORKSPACE_ALIGNMENT;

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  // `bytes` uninitialised bytes; kInvalidArgument if negative, kResourceExhausted if there is no
  // memory.
  static absl::StatusOr<AlignedBuffer> Create(int64_t bytes);

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }
  std::span<std::byte> span() { return {data_.get(), size_}; }

 private:
  struct Free {
    std::align_val_t alignment;  // as it was allocated
    void operator()(std::byte* data) const { ::operator delete(data, alignment); }
  };

  std::unique_ptr<std::byte, Free> data_;
  size_t size_ = 0;
};

}  // namespace gradus::runtime
