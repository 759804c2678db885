// Counts heap allocations of the whole program, to prove that a call makes none. Include it in
// exactly one source of a test program: it replaces the allocator's entry points. Under a
// sanitizer, which has an allocator of its own, it replaces operator new instead, which every
// allocation of this project goes through.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace gradus::testing {

inline std::atomic<int64_t> allocation_count{0};
inline std::atomic<size_t> largest_allocation{0};  // bytes, since somebody set it to 0

inline void NoteAllocation(size_t bytes) {
  allocation_count.fetch_add(1);
  size_t largest = largest_allocation.load();
  while (bytes > largest && !largest_allocation.compare_exchange_weak(largest, bytes)) {
  }
}

// The number of heap allocations, by any thread, while `function` runs.
template <class Function>
int64_t CountAllocations(Function&& function) {
  int64_t before = allocation_count.load();
  function();
  return allocation_count.load() - before;
}

}  // namespace gradus::testing

#if defined(__has_feature)
#define GRADUS_HAS_FEATURE(x) __has_feature(x)
#else
#define GRADUS_HAS_FEATURE(x) 0
#endif

// NOLINTBEGIN: replaces reserved functions, and is included once.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    GRADUS_HAS_FEATURE(address_sanitizer) || GRADUS_HAS_FEATURE(thread_sanitizer)

namespace gradus::testing {
inline void* CountedAllocation(std::size_t size, std::size_t alignment) {
  NoteAllocation(size);
  std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  return rounded < size ? nullptr
                        : std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
}
inline void* CountedAllocationOrAbort(std::size_t size, std::size_t alignment) {
  void* memory = CountedAllocation(size, alignment);
  if (memory == nullptr) std::abort();
  return memory;
}
}  // namespace gradus::testing

void* operator new(std::size_t size) { return gradus::testing::CountedAllocationOrAbort(size, 16); }
void* operator new[](std::size_t size) {
  return gradus::testing::CountedAllocationOrAbort(size, 16);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return gradus::testing::CountedAllocation(size, 16);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return gradus::testing::CountedAllocationOrAbort(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return gradus::testing::CountedAllocation(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

#else

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t size) noexcept {
  gradus::testing::NoteAllocation(size);
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) noexcept {
  gradus::testing::NoteAllocation(count * size);
  return __libc_calloc(count, size);
}
void* realloc(void* memory, size_t size) noexcept {
  gradus::testing::NoteAllocation(size);
  return __libc_realloc(memory, size);
}
void* memalign(size_t alignment, size_t size) noexcept {
  gradus::testing::NoteAllocation(size);
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) noexcept {
  gradus::testing::NoteAllocation(size);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, size_t alignment, size_t size) noexcept {
  gradus::testing::NoteAllocation(size);
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? 12 /* ENOMEM */ : 0;
}
}

#endif
// NOLINTEND
