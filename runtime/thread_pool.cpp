#include "runtime/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "absl/status/status.h"
#include "fmt/format.h"

// How a job runs:
//  1. The caller writes the job, opens state_, and changes epoch_; it wakes workers that sleep.
//  2. A worker that sees a new epoch joins: it adds 1 to state_ if that is open. From then on the
//  job cannot change.
//  3. Caller and workers take indices, each from its own share and then from the others', until
//  none is left; a worker then leaves (subtracts 1).
//  4. The caller, out of indices, closes state_ and waits until it is 0: all have left, so all
//  bodies have returned.
// A worker that comes late finds state_ closed (or the next job open, which it may as well join):
// nobody ever waits for a worker that has not begun.

namespace gradus::runtime {
namespace {

constexpr uint32_t kOpen = uint32_t{1} << 31;

// Spinning hands over in 0.05-0.5 us where waking a sleeper takes 17-48 us, of which the one who
// wakes pays a good part. So long a thread waits before it sleeps: longer than what a training step
// does between two pieces of shared work, or than a small step takes.
constexpr std::chrono::microseconds kSpin{200};

inline void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Until `done`, or for a while: what it said last.
template <typename Done>
bool SpinUntil(const Done& done) {
  if (done()) return true;
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      Pause();
      if (done()) return true;
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace

ThreadPool::ThreadPool()
    : threads_{this, [](void* state, int64_t count, gradus_parallel_body body, void* context) {
                 static_cast<ThreadPool*>(state)->ParallelFor(count, body, context);
               }} {}

absl::StatusOr<std::unique_ptr<ThreadPool>> ThreadPool::Create(int threads) {
  if (threads < 1 || threads > kMaxThreads) {
    return absl::InvalidArgumentError(
        fmt::format("a thread pool has 1 to {} threads, got {}", kMaxThreads, threads));
  }
  std::unique_ptr<ThreadPool> pool(new ThreadPool);
  try {
    pool->workers_.reserve(static_cast<size_t>(threads - 1));
    pool->shares_ = std::vector<Share>(static_cast<size_t>(threads));
    for (size_t i = 1; i < pool->shares_.size(); ++i) {
      pool->workers_.emplace_back([p = pool.get(), i] { p->Work(i); });
    }
  } catch (const std::exception& error) {  // the pool's destructor ends those that were started
    return absl::ResourceExhaustedError(
        fmt::format("cannot start {} threads: {}; ask for fewer", threads - 1, error.what()));
  }
  return pool;
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::TakeIndices(size_t self) noexcept {
  for (size_t taken = 0; taken < shares_.size(); ++taken) {
    Share& share = shares_[(self + taken) % shares_.size()];
    for (int64_t i; (i = share.next.fetch_add(1, std::memory_order_relaxed)) < share.end;) {
      body_(context_, i);
    }
  }
}

void ThreadPool::WakeWorkers(int64_t count) {
  int64_t sleeping = std::min<int64_t>(count, sleepers_.load());
  for (int64_t i = 0; i < sleeping; ++i) epoch_.notify_one();
}

void ThreadPool::ParallelFor(int64_t count, gradus_parallel_body body, void* context) noexcept {
  if (count <= 0) return;
  if (count == 1 || workers_.empty() || busy_.exchange(true, std::memory_order_acquire)) {
    for (int64_t i = 0; i < count; ++i) body(context, i);
    return;
  }
  const auto threads = static_cast<int64_t>(shares_.size());
  const int64_t each = count / threads, more = count % threads;  // the first `more` have one more
  int64_t begin = 0;
  for (int64_t i = 0; i < threads; ++i) {
    Share& share = shares_[static_cast<size_t>(i)];
    share.next.store(begin, std::memory_order_relaxed);
    begin += each + (i < more ? 1 : 0);
    share.end = begin;
  }
  body_ = body;
  context_ = context;
  mode_ = CurrentFloatMode();
  state_.store(kOpen, std::memory_order_release);
  epoch_.fetch_add(1);
  WakeWorkers(count - 1);

  TakeIndices(0);

  uint32_t state = state_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
  if (state != 0) {
    SpinUntil([&] { return (state = state_.load(std::memory_order_acquire)) == 0; });
  }
  while (state != 0) {
    state_.wait(state, std::memory_order_acquire);
    state = state_.load(std::memory_order_acquire);
  }
  busy_.store(false, std::memory_order_release);
}

void ThreadPool::Work(size_t self) noexcept {
  uint32_t seen = 0;
  while (true) {
    // 1. Wait for a new job: spin, then sleep.
    uint32_t epoch = seen;
    if (!SpinUntil([&] { return (epoch = epoch_.load()) != seen; })) {
      sleepers_.fetch_add(1);
      epoch_.wait(seen);
      sleepers_.fetch_sub(1);
      epoch = epoch_.load();
    }
    if (epoch == seen) continue;
    seen = epoch;
    if (stop_) return;

    // 2. Join it if it is still open.
    uint32_t state = state_.load(std::memory_order_acquire);
    while ((state & kOpen) != 0 &&
           !state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) {
    }
    if ((state & kOpen) == 0) continue;

    // 3. Work, and leave. The last to leave a closed job wakes its caller.
    SetFloatMode(mode_);
    TakeIndices(self);
    if (state_.fetch_sub(1, std::memory_order_acq_rel) == 1) state_.notify_one();
  }
}

}  // namespace gradus::runtime
