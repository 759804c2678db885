#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/executable.h"
#include "tests/unit/runtime/handmade_entries.h"

namespace gradus::runtime {
namespace {

using testing::kPairInfo;
using testing::kScaleInfo;
using testing::kUpdateInfo;
using testing::Make;
using testing::Message;
using testing::Nothing;
using testing::Scale;
using testing::scale_calls;
using testing::Update;

// A call of @scale that is right until a test spoils it.
class ScaleCall : public ::testing::Test {
 protected:
  absl::Status Call() {
    std::vector<TensorView> in = arguments;
    int before = scale_calls;
    absl::Status status = scale.Call(in, results, workspace, threads);
    EXPECT_EQ(scale_calls - before, status.ok() ? 1 : 0) << "refusing means not entering";
    EXPECT_EQ(scale.Bind(in, results, workspace, threads).status(), status);
    return status;
  }
  // The message of the refusal, less "scale: ".
  std::string Refusal() {
    absl::Status status = Call();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(Message(status), ::testing::StartsWith("scale: "));
    return Message(status).substr(std::min<size_t>(7, Message(status).size()));
  }

  Executable scale = Make(Scale, kScaleInfo);
  AlignedBuffer memory = *AlignedBuffer::Create(4096);
  AlignedBuffer workspace_memory = *AlignedBuffer::Create(128);
  std::span<std::byte> workspace = workspace_memory.span();
  const gradus_threads* threads = nullptr;
  std::vector<int64_t> x_shape{4, 3}, w_shape{3}, y_shape{4, 3};
  std::vector<TensorView> arguments{{memory.data(), DType::kF32, x_shape},
                                    {memory.data() + 48, DType::kF32, w_shape}};
  std::vector<MutableTensorView> results{{memory.data() + 60, DType::kF32, y_shape}};
  ScaleCall() { std::fill_n(memory.data(), memory.size(), std::byte{0}); }
};

TEST_F(ScaleCall, NeighboursInMemoryAreFine) { EXPECT_TRUE(Call().ok()) << Call(); }

TEST_F(ScaleCall, Counts) {
  arguments.pop_back();
  EXPECT_EQ(Refusal(), "got 1 arguments, expected 2 (x, w)");
  arguments.resize(3);
  EXPECT_EQ(Refusal(), "got 3 arguments, expected 2 (x, w)");
  arguments = {{memory.data(), DType::kF32, x_shape}, {memory.data() + 48, DType::kF32, w_shape}};
  results.clear();
  EXPECT_EQ(Refusal(), "got 0 results, expected 1 (y)");
}

TEST_F(ScaleCall, DTypes) {
  arguments[0].dtype = DType::kF64;
  EXPECT_EQ(Refusal(), "argument 0 `x` is f64[4, 3], expected f32[B, 3]");
  arguments[0].dtype = DType::kF32;
  results[0].dtype = DType::kI32;
  EXPECT_EQ(Refusal(), "result 0 `y` is i32[4, 3], expected f32[B, 3]");
}

TEST_F(ScaleCall, Ranks) {
  x_shape = {2, 3, 4};
  arguments[0].shape = x_shape;
  EXPECT_EQ(Refusal(), "argument 0 `x` has 3 axes [2, 3, 4], expected 2 [B, 3]");
  arguments[0].shape = {};
  EXPECT_EQ(Refusal(), "argument 0 `x` has 0 axes [], expected 2 [B, 3]");
}

TEST_F(ScaleCall, Sizes) {
  x_shape[1] = 4;
  EXPECT_EQ(Refusal(), "argument 0 `x` has size 4 on axis 1 [4, 4], expected 3 [B, 3]");
  x_shape = {-4, 3};
  EXPECT_EQ(Refusal(), "argument 0 `x` has a negative size on axis 0 [-4, 3], expected [B, 3]");
  x_shape = {4, 3};
  y_shape[0] = 5;
  EXPECT_EQ(Refusal(),
            "result 0 `y` has size 5 on axis 0 [5, 3], expected B = 4 from axis 0 of "
            "argument 0 `x` [4, 3]");
}

TEST_F(ScaleCall, SizesThatOverflow) {
  x_shape[0] = y_shape[0] = std::numeric_limits<int64_t>::max() / 4;
  EXPECT_EQ(Refusal(),
            "argument 0 `x` is too large: the bytes of f32[2305843009213693951, 3] "
            "overflow 64 bits");
  x_shape[0] = y_shape[0] = 4;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address at the end of memory, never read
  arguments[0].data = reinterpret_cast<const void*>(UINTPTR_MAX - 15);
  EXPECT_EQ(Refusal(),
            "argument 0 `x` at address 0xfffffffffffffff0 does not have room for the 48 bytes of "
            "f32[4, 3]");
}

TEST_F(ScaleCall, NullPointers) {
  arguments[1].data = nullptr;
  EXPECT_EQ(Refusal(), "argument 1 `w` has a null pointer, expected 12 bytes for f32[3]");
  arguments[1].data = memory.data() + 48;
  results[0].data = nullptr;
  EXPECT_EQ(Refusal(), "result 0 `y` has a null pointer, expected 48 bytes for f32[4, 3]");
  x_shape[0] = y_shape[0] = 0;
  arguments[0].data = nullptr;
  EXPECT_TRUE(Call().ok()) << "nothing is stored there";
}

TEST_F(ScaleCall, Alignment) {
  arguments[1].data = memory.data() + 49;
  EXPECT_THAT(Refusal(), ::testing::MatchesRegex(
                             "argument 1 `w` is at address 0x[0-9a-f]+, expected a multiple of 4"));
}

TEST_F(ScaleCall, Workspace) {
  workspace = workspace.first(127);
  EXPECT_EQ(Refusal(), "the workspace has 127 bytes, expected 128");
  workspace = {};
  EXPECT_EQ(Refusal(), "the workspace has 0 bytes, expected 128");
  workspace = memory.span().subspan(1024 + 32, 128);
  EXPECT_THAT(Refusal(), ::testing::MatchesRegex(
                             "the workspace is at address 0x[0-9a-f]+, expected a multiple of 64"));
}

TEST_F(ScaleCall, Overlaps) {
  results[0].data = memory.data();
  EXPECT_EQ(Refusal(), "result 0 `y` overlaps argument 0 `x`, expected memory of its own");
  results[0].data = memory.data() + 56;  // the last element of w
  EXPECT_EQ(Refusal(), "result 0 `y` overlaps argument 1 `w`, expected memory of its own");
  results[0].data = memory.data() + 60;
  workspace = memory.span().first(128);
  EXPECT_EQ(Refusal(), "the workspace overlaps argument 0 `x`, expected memory of its own");
  arguments[0].data = memory.data() + 1024;
  arguments[1].data = memory.data() + 1028;
  EXPECT_EQ(Refusal(), "the workspace overlaps result 0 `y`, expected memory of its own");
  workspace = workspace_memory.span();
  EXPECT_TRUE(Call().ok()) << "arguments may overlap each other: nothing writes there";
}

// A small written range inside a large read one that began earlier, with others between them.
TEST_F(ScaleCall, ARangeInsideAnother) {
  arguments[0].data = memory.data();
  x_shape[0] = y_shape[0] = 16;
  arguments[1].data = memory.data() + 16;
  results[0].data = memory.data() + 188;  // the last element of x
  EXPECT_EQ(Refusal(), "result 0 `y` overlaps argument 0 `x`, expected memory of its own");
  results[0].data = memory.data() + 192;
  EXPECT_TRUE(Call().ok());
}

TEST_F(ScaleCall, Threads) {
  gradus_threads broken{nullptr, nullptr};
  threads = &broken;
  EXPECT_EQ(Refusal(), "threads has no parallel_for, expected a function or null threads");
}

TEST(RefusalsTest, AliasesMustBeTheArgumentsMemory) {
  Executable update = Make(Update, kUpdateInfo);
  Tensor w = *Tensor::Zeros(DType::kF64, {3}), g = *Tensor::Zeros(DType::kF64, {3});
  Tensor other = *Tensor::Zeros(DType::kF64, {3});
  EXPECT_EQ(Message(update.Call(std::vector<TensorView>{w, g},
                                std::vector<MutableTensorView>{other}, {})),
            "update: result 0 is written in place of argument 0 `w`, but its pointer differs; pass "
            "the argument's pointer");
  EXPECT_EQ(
      Message(update.Call(std::vector<TensorView>{w, w}, std::vector<MutableTensorView>{w}, {})),
      "update: result 0 overlaps argument 1 `g`, expected memory of its own");
}

TEST(RefusalsTest, ArgumentsMustAgreeOnSymbols) {
  Executable pair = Make(Nothing, kPairInfo);
  Tensor a = *Tensor::Zeros(DType::kI32, {2, 5}), b = *Tensor::Zeros(DType::kI32, {4});
  EXPECT_EQ(
      Message(pair.BindSymbols(std::vector<TensorView>{a, b}).status()),
      "pair: argument 1 `b` has size 4 on axis 0 [4], expected T = 5 from axis 1 of argument 0 "
      "`a` [2, 5]");
  std::vector<Tensor> inputs;
  inputs.push_back(std::move(a));
  inputs.push_back(std::move(b));
  EXPECT_FALSE(pair.Run(std::move(inputs)).ok());
}

TEST(RefusalsTest, ResultsMustNotOverlapEachOther) {
  Executable pair = Make(Nothing, kPairInfo);
  Tensor a = *Tensor::Zeros(DType::kI32, {2, 5}), b = *Tensor::Zeros(DType::kI32, {5});
  Tensor c = *Tensor::Zeros(DType::kI32, {2, 5});
  AlignedBuffer workspace = *AlignedBuffer::Create(64);
  std::vector<int64_t> d_shape{2};
  std::vector<MutableTensorView> results{c, {c.data<int32_t>().data() + 9, DType::kI32, d_shape}};
  EXPECT_EQ(Message(pair.Call(std::vector<TensorView>{a, b}, results, workspace.span())),
            "pair: result 1 `d` overlaps result 0 `c`, expected memory of its own");
  results[1].data = c.data<int32_t>().data() +
                    10;  // only the first byte past the end: allowed, and never written
  EXPECT_TRUE(pair.Call(std::vector<TensorView>{a, b}, results, workspace.span()).ok());
}

TEST(RefusalsTest, TheWorkspaceSizeIsCheckedForOverflow) {
  Executable pair = Make(Nothing, kPairInfo);
  EXPECT_EQ(*pair.WorkspaceBytes(std::vector<int64_t>{3, 7}), 84);
  constexpr int64_t kLarge = int64_t{1} << 31;
  EXPECT_EQ(Message(pair.WorkspaceBytes(std::vector<int64_t>{kLarge, kLarge}).status()),
            "pair: the workspace for B = 2147483648, T = 2147483648 does not fit in 64 bits; pass "
            "smaller sizes");
  EXPECT_EQ(Message(pair.WorkspaceBytes(std::vector<int64_t>{1}).status()),
            "pair: got sizes for 1 symbols, expected 2");
  EXPECT_EQ(Message(pair.WorkspaceBytes(std::vector<int64_t>{1, -1}).status()),
            "pair: symbol T has size -1, expected 0 or more");
  EXPECT_EQ(Message(pair.ResultShape(2, std::vector<int64_t>{1, 1}).status()),
            "pair: there is no result 2, it has 2");
}

TEST(RefusalsTest, MalformedInfosAreRefused) {
  gradus_entry_info info = kScaleInfo;
  info.abi_version = 1;
  EXPECT_EQ(Message(Executable::Create(Scale, &info).status()),
            "compiled entry has ABI version 1, expected 2; compile it again");
  info = kScaleInfo;
  info.arguments = nullptr;
  EXPECT_FALSE(Executable::Create(Scale, &info).ok());
  info = kScaleInfo;
  info.result_count = -1;
  EXPECT_FALSE(Executable::Create(Scale, &info).ok());
  info = kScaleInfo;
  info.name = nullptr;
  EXPECT_FALSE(Executable::Create(Scale, &info).ok());
  EXPECT_FALSE(Executable::Create(nullptr, &kScaleInfo).ok());
  EXPECT_FALSE(Executable::Create(Scale, nullptr).ok());
}

}  // namespace
}  // namespace gradus::runtime
