#include "runtime/aligned_buffer.h"

#include <new>

#include "absl/status/status.h"
#include "fmt/format.h"

namespace gradus::runtime {

absl::StatusOr<AlignedBuffer> AlignedBuffer::Create(int64_t bytes) {
  if (bytes < 0) {
    return absl::InvalidArgumentError(
        fmt::format("cannot allocate {} bytes, expected 0 or more", bytes));
  }
  AlignedBuffer buffer;
  if (bytes == 0) return buffer;
  void* data =
      ::operator new(static_cast<size_t>(bytes), std::align_val_t{kAlignment}, std::nothrow);
  if (data == nullptr) {
    return absl::ResourceExhaustedError(
        fmt::format("out of memory: cannot allocate {} bytes", bytes));
  }
  buffer.data_.reset(static_cast<std::byte*>(data));
  buffer.size_ = static_cast<size_t>(bytes);
  return buffer;
}

void AlignedBuffer::Free::operator()(std::byte* data) const {
  ::operator delete(data, std::align_val_t{kAlignment});
}

}  // namespace gradus::runtime
