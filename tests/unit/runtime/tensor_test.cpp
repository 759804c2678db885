#include "runtime/tensor.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

// Asking for more memory than there is must come back as an error under the sanitizers too.
// NOLINTBEGIN(bugprone-reserved-identifier): the names that the sanitizers look for
extern "C" const char* __asan_default_options();
extern "C" const char* __tsan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
// NOLINTEND(bugprone-reserved-identifier)

namespace gradus::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(TensorTest, CreateGivesAlignedMemoryOfTheRightSize) {
  struct Case {
    DType dtype;
    std::vector<int64_t> shape;
    int64_t bytes;
  };
  for (const Case& c :
       {Case{DType::kI1, {3, 5}, 15}, Case{DType::kI32, {}, 4}, Case{DType::kI64, {7}, 56},
        Case{DType::kF32, {2, 3, 4}, 96}, Case{DType::kF64, {1, 1}, 8}}) {
    absl::StatusOr<Tensor> tensor = Tensor::Create(c.dtype, c.shape);
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_EQ(tensor->dtype(), c.dtype);
    EXPECT_EQ(tensor->shape(), c.shape);
    EXPECT_EQ(tensor->byte_size(), c.bytes);
    EXPECT_EQ(tensor->num_elements(), c.bytes / DTypeSize(c.dtype));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor->raw()) % kAlignment, 0u);
  }
}

TEST(TensorTest, AnEmptyAxisNeedsNoMemory) {
  absl::StatusOr<Tensor> tensor = Tensor::Zeros(DType::kF32, {4, 0, 3});
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(tensor->num_elements(), 0);
  EXPECT_EQ(tensor->raw(), nullptr);
  EXPECT_TRUE(tensor->data<float>().empty());
}

TEST(TensorTest, CreateRefusesSizesThatAreNoSizes) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  absl::Status negative = Tensor::Create(DType::kF32, {2, -1}).status();
  EXPECT_EQ(negative.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(negative), "f32[2, -1] has a negative size on axis 1, expected 0 or more");

  absl::Status overflow =
      Tensor::Create(DType::kF64, {int64_t{1} << 32, int64_t{1} << 31}).status();
  EXPECT_EQ(overflow.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Message(overflow),
            "f64[4294967296, 2147483648] is too large: its bytes overflow 64 bits");
  EXPECT_FALSE(Tensor::Create(DType::kF64, {kHuge}).ok());
  EXPECT_FALSE(Tensor::Create(DType::kI1, {kHuge, 2}).ok());
  // The product is 0, but strides would overflow, and a loop over the first axis would never end.
  EXPECT_FALSE(Tensor::Create(DType::kF32, {kHuge, kHuge, 0}).ok());
}

TEST(TensorTest, CreateReportsThatThereIsNoMemory) {
  absl::Status status = Tensor::Create(DType::kI1, {int64_t{1} << 60}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(status), HasSubstr("i1[1152921504606846976]: out of memory"));
}

TEST(TensorTest, FromVectorTakesValuesInRowMajorOrder) {
  absl::StatusOr<Tensor> tensor = Tensor::FromVector<int32_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(tensor->dtype(), DType::kI32);
  EXPECT_THAT(tensor->data<int32_t>(), ElementsAre(1, 2, 3, 4, 5, 6));

  absl::StatusOr<Tensor> truths = Tensor::FromVector<bool>({3}, {true, false, true});
  ASSERT_TRUE(truths.ok());
  EXPECT_EQ(truths->dtype(), DType::kI1);
  EXPECT_THAT(truths->data<uint8_t>(), ElementsAre(1, 0, 1));
  EXPECT_THAT(truths->data<bool>(), ElementsAre(true, false, true));

  std::vector<double> values = {1.5, 2.5};
  absl::StatusOr<Tensor> from_span = Tensor::FromSpan<double>({1, 2}, values);
  ASSERT_TRUE(from_span.ok());
  EXPECT_THAT(from_span->data<double>(), ElementsAre(1.5, 2.5));
}

TEST(TensorTest, FromVectorCountsTheValues) {
  EXPECT_EQ(Message(Tensor::FromVector<float>({2, 3}, {1, 2, 3}).status()),
            "f32[2, 3] holds 6 elements, got 3 values");
  EXPECT_FALSE(Tensor::FromSpan<float>({}, std::span<const float>()).ok());
}

TEST(TensorTest, CloneCopiesAndZerosAreZero) {
  absl::StatusOr<Tensor> zeros = Tensor::Zeros(DType::kF64, {3});
  ASSERT_TRUE(zeros.ok());
  EXPECT_THAT(zeros->data<double>(), ElementsAre(0.0, 0.0, 0.0));
  absl::StatusOr<Tensor> copy = zeros->Clone();
  ASSERT_TRUE(copy.ok());
  copy->data<double>()[1] = 5;
  EXPECT_THAT(zeros->data<double>(), ElementsAre(0.0, 0.0, 0.0));
  EXPECT_THAT(copy->data<double>(), ElementsAre(0.0, 5.0, 0.0));
}

TEST(TensorTest, AMovedFromTensorClaimsNoElements) {
  absl::StatusOr<Tensor> tensor = Tensor::FromVector<float>({2}, {1, 2});
  ASSERT_TRUE(tensor.ok());
  const void* memory = tensor->raw();
  Tensor taken = std::move(*tensor);
  EXPECT_EQ(taken.raw(), memory);
  EXPECT_EQ(tensor->num_elements(), 0);  // NOLINT(bugprone-use-after-move): what this test is about
  EXPECT_TRUE(tensor->data<float>().empty());
  absl::StatusOr<Tensor> copy = tensor->Clone();
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(copy->num_elements(), 0);
}

TEST(TensorTest, ViewsNameTheSameMemory) {
  absl::StatusOr<Tensor> tensor = Tensor::FromVector<float>({2, 1}, {1, 2});
  ASSERT_TRUE(tensor.ok());
  MutableTensorView writable = *tensor;
  TensorView readable = writable;
  EXPECT_EQ(readable.data, tensor->raw());
  EXPECT_EQ(readable.dtype, DType::kF32);
  EXPECT_THAT(readable.shape, ElementsAre(2, 1));
}

TEST(TensorDeathTest, ReadingAsAnotherTypeIsABug) {
  absl::StatusOr<Tensor> tensor = Tensor::Zeros(DType::kF32, {2});
  ASSERT_TRUE(tensor.ok());
  EXPECT_DEATH(tensor->data<double>(), "a tensor of f32 was read as f64");
}

}  // namespace
}  // namespace gradus::runtime
