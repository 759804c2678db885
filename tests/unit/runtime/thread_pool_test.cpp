#include "runtime/thread_pool.h"

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace gradus::runtime {
namespace {

std::unique_ptr<ThreadPool> Pool(int threads) {
  absl::StatusOr<std::unique_ptr<ThreadPool>> pool = ThreadPool::Create(threads);
  EXPECT_TRUE(pool.ok()) << pool.status();
  return *std::move(pool);
}

// Through the C interface, as compiled code calls it.
void ParallelFor(const ThreadPool& pool, int64_t count, const std::function<void(int64_t)>& body) {
  const gradus_threads* threads = pool.threads();
  const gradus_parallel_body call = [](void* context, int64_t i) {
    (*static_cast<const std::function<void(int64_t)>*>(context))(i);
  };
  void* context = const_cast<std::function<void(int64_t)>*>(&body);
  if (threads != nullptr) {
    threads->parallel_for(threads->state, count, call, context);
  } else {
    const_cast<ThreadPool&>(pool).ParallelFor(count, call, context);
  }
}

TEST(ThreadPoolTest, EveryIndexRunsOnceAndIsSeenAfterwards) {
  for (int threads : {1, 2, 3, 8}) {
    std::unique_ptr<ThreadPool> pool = Pool(threads);
    EXPECT_EQ(pool->thread_count(), threads);
    for (int64_t count : {0, 1, 2, 7, 1000}) {
      std::vector<int> runs(static_cast<size_t>(count),
                            0);  // plain memory: the sanitizer checks the hand-over
      for (int repeat = 1; repeat <= 20; ++repeat) {
        ParallelFor(*pool, count, [&](int64_t i) { ++runs[i]; });
        for (int64_t i = 0; i < count; ++i) ASSERT_EQ(runs[i], repeat) << threads << " " << i;
      }
    }
  }
}

TEST(ThreadPoolTest, OneThreadIsNoneToShareWith) {
  EXPECT_EQ(Pool(1)->threads(), nullptr);
  EXPECT_NE(Pool(2)->threads(), nullptr);
}

TEST(ThreadPoolTest, NegativeCountsRunNothing) {
  std::unique_ptr<ThreadPool> pool = Pool(2);
  ParallelFor(*pool, -5, [](int64_t) { FAIL(); });
}

// Many short jobs after each other: workers come late, join the next job, fall asleep between two.
TEST(ThreadPoolTest, ManyShortJobs) {
  std::unique_ptr<ThreadPool> pool = Pool(4);
  int64_t total = 0;
  for (int job = 0; job < 5000; ++job) {
    int64_t parts[5] = {};
    ParallelFor(*pool, 5, [&](int64_t i) { parts[i] = job + i; });
    for (int64_t part : parts) total += part;
    if (job % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(total, int64_t{5} * 5000 * 4999 / 2 + 10 * 5000);
}

TEST(ThreadPoolTest, SleepingWorkersAreWoken) {
  std::unique_ptr<ThreadPool> pool = Pool(2);
  for (int repeat = 0; repeat < 3; ++repeat) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // long after spinning ends
    // Each index waits for the other, so both threads must take part.
    std::atomic<int> arrived{0};
    ParallelFor(*pool, 2, [&](int64_t) {
      ++arrived;
      while (arrived.load() < 2) std::this_thread::yield();
    });
    EXPECT_EQ(arrived.load(), 2);
  }
}

TEST(ThreadPoolTest, NestedCallsRunInTheirThread) {
  std::unique_ptr<ThreadPool> pool = Pool(3);
  std::atomic<int64_t> sum{0};
  std::atomic<bool> moved{false};
  ParallelFor(*pool, 8, [&](int64_t i) {
    std::thread::id here = std::this_thread::get_id();
    ParallelFor(*pool, 8, [&](int64_t j) {
      if (std::this_thread::get_id() != here) moved = true;
      sum += i * 8 + j;
    });
  });
  EXPECT_EQ(sum.load(), 63 * 32);
  EXPECT_FALSE(moved.load());
}

TEST(ThreadPoolTest, CallersFromSeveralThreads) {
  std::unique_ptr<ThreadPool> pool = Pool(2);
  std::vector<int64_t> sums(4, 0);
  std::vector<std::thread> callers;
  callers.reserve(sums.size());
  for (int64_t& sum : sums) {
    callers.emplace_back([&] {
      for (int job = 0; job < 300; ++job) {
        int64_t parts[6] = {};
        ParallelFor(*pool, 6, [&](int64_t i) { parts[i] = i; });
        for (int64_t part : parts) sum += part;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (int64_t sum : sums) EXPECT_EQ(sum, 300 * 15);
}

TEST(ThreadPoolTest, PoolsStartAndEndAtAnyTime) {
  for (int i = 0; i < 50; ++i) {
    std::unique_ptr<ThreadPool> pool = Pool(1 + i % 4);
    std::atomic<int> runs{0};
    if (i % 3 != 0) ParallelFor(*pool, 10, [&](int64_t) { ++runs; });
    EXPECT_EQ(runs.load(), i % 3 != 0 ? 10 : 0);
  }
}

TEST(ThreadPoolTest, ThreadsComputeInTheCallersFloatMode) {
  if (kFlushesSubnormals == 0) GTEST_SKIP() << "this processor has no mode without subnormals";
  constexpr int64_t kCount = 64;
  const auto pool = Pool(3);
  // Half of the smallest normal number, by index.
  const auto halves = [&pool] {
    std::vector<float> results(kCount, -1.0F);
    ParallelFor(*pool, kCount, [&](int64_t i) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));  // so that all threads take some
      volatile float smallest = 0x1p-126F;
      results[static_cast<size_t>(i)] = smallest * 0.5F;
    });
    return results;
  };
  const std::vector<float> subnormal(kCount, 0x1p-127F), zero(kCount, 0.0F);
  EXPECT_EQ(halves(), subnormal);
  const FloatMode before = CurrentFloatMode();
  {
    const FlushSubnormals flush;
    EXPECT_EQ(halves(), zero);
  }
  EXPECT_EQ(CurrentFloatMode(), before);
  EXPECT_EQ(halves(), subnormal);
}

TEST(ThreadPoolTest, NumbersOfThreadsAreChecked) {
  EXPECT_EQ(std::string(ThreadPool::Create(0).status().message()),
            "a thread pool has 1 to 1024 threads, got 0");
  EXPECT_FALSE(ThreadPool::Create(-1).ok());
  EXPECT_FALSE(ThreadPool::Create(1025).ok());
}

}  // namespace
}  // namespace gradus::runtime
