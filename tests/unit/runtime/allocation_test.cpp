#include "tests/unit/runtime/allocation_counter.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/executable.h"
#include "runtime/thread_pool.h"
#include "tests/unit/runtime/handmade_entries.h"

namespace gradus::runtime {
namespace {

using ::gradus::testing::CountAllocations;
using testing::Floats;
using testing::kScaleInfo;
using testing::Make;
using testing::Scale;

TEST(AllocationTest, TheCounterCounts) {
  void* volatile kept = nullptr;
  EXPECT_EQ(CountAllocations([&] { kept = ::operator new(100); }), 1);
  ::operator delete(kept);
  EXPECT_EQ(CountAllocations([] { AlignedBuffer buffer = *AlignedBuffer::Create(1000); }), 1);
}

TEST(AllocationTest, CallsDoNotAllocate) {
  Executable scale = Make(Scale, kScaleInfo);
  Tensor x = *Tensor::Zeros(DType::kF32, {40, 3});
  Tensor w = Floats({3}, {1, 2, 3});
  Tensor y = *Tensor::Zeros(DType::kF32, {40, 3});
  AlignedBuffer workspace = *AlignedBuffer::Create(256);
  absl::StatusOr<std::unique_ptr<ThreadPool>> pool = ThreadPool::Create(2);
  ASSERT_TRUE(pool.ok());
  const gradus_threads* threads = (*pool)->threads();
  std::vector<TensorView> in{x, w};
  std::vector<MutableTensorView> out{y};
  ASSERT_TRUE(scale.Call(in, out, workspace.span(), threads).ok());

  bool ok = true;
  EXPECT_EQ(CountAllocations([&] {
              for (int i = 0; i < 100; ++i) {
                ok &= scale.Call(in, out, workspace.span(), threads).ok();
              }
            }),
            0);
  absl::StatusOr<BoundCall> bound = scale.Bind(in, out, workspace.span(), threads);
  ASSERT_TRUE(bound.ok());
  EXPECT_EQ(CountAllocations([&] {
              for (int i = 0; i < 100; ++i) ok &= bound->Run().ok();
            }),
            0);
  // Work handed to threads does not allocate either, nor does another batch through the same Call.
  std::atomic<int64_t> sum{0};
  auto body = [](void* context, int64_t i) { *static_cast<std::atomic<int64_t>*>(context) += i; };
  EXPECT_EQ(CountAllocations([&] { threads->parallel_for(threads->state, 100, body, &sum); }), 0);
  EXPECT_EQ(sum.load(), 4950);
  std::vector<int64_t> shape{7, 3};
  in[0].shape = shape;
  out[0].shape = shape;
  EXPECT_EQ(CountAllocations([&] { ok &= scale.Call(in, out, workspace.span(), threads).ok(); }),
            0);
  EXPECT_TRUE(ok);
}

}  // namespace
}  // namespace gradus::runtime
