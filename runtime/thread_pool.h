// A small pool of threads behind gradus_threads. Compiled code runs in one thread unless it is
// handed one of these, or whatever a program brings of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/abi.h"
#include "runtime/float_mode.h"

namespace gradus::runtime {

class ThreadPool {
 public:
  static constexpr int kMaxThreads = 1024;

  // `threads` counts the caller of parallel_for, so 1 starts none. kInvalidArgument
  // outside 1..kMaxThreads, kResourceExhausted if the system refuses a thread.
  static absl::StatusOr<std::unique_ptr<ThreadPool>> Create(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int thread_count() const { return static_cast<int>(workers_.size()) + 1; }

  // To pass to a compiled entry; lives as long as the pool. Null if there is but one thread: an
  // entry then does its work at once, rather than in parts.
  const gradus_threads* threads() const { return workers_.empty() ? nullptr : &threads_; }

  // Runs body(context, i) for every i in [0, count) and returns when all are done. Each thread
  // begins with a share of its own, the same one whenever `count` is the same, so that what it
  // touched in one step is in its cache in the next; who is done takes from the others' shares.
  // Nothing if count <= 0. Inside a body, and while another thread is in here, it runs in the
  // calling thread. All threads compute in the caller's FloatMode. Bodies must not throw.
  void ParallelFor(int64_t count, gradus_parallel_body body, void* context) noexcept;

 private:
  ThreadPool();
  // Indices from `next` to `end` are still to be taken.
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  void Work(size_t self) noexcept;
  void TakeIndices(size_t self) noexcept;
  void WakeWorkers(int64_t count);

  gradus_threads threads_;
  std::vector<std::thread> workers_;

  std::atomic<bool> busy_{false};  // a ParallelFor is under way
  std::atomic<bool> stop_{false};  // set before the last change of epoch_

  // The job. Written by the caller while state_ is 0; read by workers counted in state_.
  gradus_parallel_body body_ = nullptr;
  void* context_ = nullptr;
  FloatMode mode_ = 0;
  std::vector<Share> shares_;  // the caller's, then each worker's

  alignas(64) std::atomic<uint32_t> epoch_{0};  // counts jobs; sleeping workers wait for its change
  std::atomic<int32_t> sleepers_{0};
  alignas(64) std::atomic<uint32_t> state_{
      0};  // kOpen if workers may join the job, plus how many are in it
};

}  // namespace gradus::runtime
