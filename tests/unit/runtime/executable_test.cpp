#include "runtime/executable.h"

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/thread_pool.h"
#include "tests/unit/runtime/allocation_counter.h"

namespace gradus::runtime {
namespace {

using ::gradus::testing::CountAllocations;
using ::testing::ElementsAre;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// ---- entries written by hand, as a compiler would ----

// @scale(%x: f32[B, 3], %w: f32[3]) -> (%y: f32[B, 3]) with a workspace of 4 * ceil(B / 16) * 16 +
// 64 bytes: y = x * w.
constexpr gradus_dim kBy3[] = {{-1, 0}, {3, -1}};
constexpr gradus_dim k3[] = {{3, -1}};
const char* const kB[] = {"B"};
constexpr gradus_tensor_info kScaleArguments[] = {{"x", GRADUS_F32, 2, kBy3, -1},
                                                  {"w", GRADUS_F32, 1, k3, -1}};
constexpr gradus_tensor_info kScaleResults[] = {{"y", GRADUS_F32, 2, kBy3, -1}};
constexpr gradus_term kScaleTerms[] = {{64, 1, {{1, 16, 1, {0}}, {}}}, {64, 0, {{}, {}}}};
const gradus_entry_info kScaleInfo{GRADUS_ABI_VERSION, "scale",       2,  1,          1, 2,
                                   kScaleArguments,    kScaleResults, kB, kScaleTerms};

int scale_calls = 0;
int32_t Scale(const void* const* in, void* const* out, const int64_t* dims, void* workspace,
              const gradus_threads*) {
  ++scale_calls;
  auto x = static_cast<const float*>(in[0]), w = static_cast<const float*>(in[1]);
  auto y = static_cast<float*>(out[0]);
  auto scratch = static_cast<float*>(workspace);
  for (int64_t i = 0; i < dims[0]; ++i) scratch[i] = 1;
  for (int64_t i = 0; i < dims[0] * 3; ++i) y[i] = x[i] * w[i % 3] * scratch[i / 3];
  return 0;
}

// @update(%w: f64[3], %g: f64[3]) -> (f64[3] in %w): w -= g.
constexpr gradus_tensor_info kUpdateArguments[] = {{"w", GRADUS_F64, 1, k3, -1},
                                                   {"g", GRADUS_F64, 1, k3, -1}};
constexpr gradus_tensor_info kUpdateResults[] = {{"", GRADUS_F64, 1, k3, 0}};
const gradus_entry_info kUpdateInfo{GRADUS_ABI_VERSION, "update",       2,       1,      0, 0,
                                    kUpdateArguments,   kUpdateResults, nullptr, nullptr};

int32_t Update(const void* const* in, void* const* out, const int64_t*, void*,
               const gradus_threads*) {
  auto g = static_cast<const double*>(in[1]);
  auto w = static_cast<double*>(out[0]);
  for (int i = 0; i < 3; ++i) w[i] -= g[i];
  return 0;
}

// @pair(%a: i32[B, T], %b: i32[T]) -> (i32[B, T], i32[B]): arguments that share a symbol; does
// nothing.
constexpr gradus_dim kBT[] = {{-1, 0}, {-1, 1}};
constexpr gradus_dim kT[] = {{-1, 1}};
constexpr gradus_dim kJustB[] = {{-1, 0}};
const char* const kBAndT[] = {"B", "T"};
constexpr gradus_tensor_info kPairArguments[] = {{"a", GRADUS_I32, 2, kBT, -1},
                                                 {"b", GRADUS_I32, 1, kT, -1}};
constexpr gradus_tensor_info kPairResults[] = {{"c", GRADUS_I32, 2, kBT, -1},
                                               {"d", GRADUS_I32, 1, kJustB, -1}};
constexpr gradus_term kPairTerms[] = {{1, 2, {{4, 1, 1, {0}}, {1, 1, 1, {1}}}}};
const gradus_entry_info kPairInfo{GRADUS_ABI_VERSION, "pair",       2,      2,         2, 1,
                                  kPairArguments,     kPairResults, kBAndT, kPairTerms};

int32_t Nothing(const void* const*, void* const*, const int64_t*, void*, const gradus_threads*) {
  return 0;
}
int32_t Fails(const void* const*, void* const*, const int64_t*, void*, const gradus_threads*) {
  return 3;
}

Executable Make(gradus_entry_fn function, const gradus_entry_info& info) {
  absl::StatusOr<Executable> executable = Executable::Create(function, &info);
  EXPECT_TRUE(executable.ok()) << executable.status();
  return *std::move(executable);
}

Tensor Floats(std::vector<int64_t> shape, const std::vector<float>& values) {
  return *Tensor::FromVector<float>(std::move(shape), values);
}

// ---- calls that succeed ----

TEST(ExecutableTest, CallsWithAnyBatch) {
  Executable scale = Make(Scale, kScaleInfo);
  EXPECT_EQ(scale.name(), "scale");
  for (int64_t batch : {0, 1, 16, 17, 100}) {
    Tensor x = *Tensor::Zeros(DType::kF32, {batch, 3});
    for (float& v : x.data<float>()) v = 2;
    Tensor w = Floats({3}, {1, 10, 100});
    absl::StatusOr<std::vector<int64_t>> dims = scale.BindSymbols(std::vector<TensorView>{x, w});
    ASSERT_TRUE(dims.ok()) << dims.status();
    EXPECT_THAT(*dims, ElementsAre(batch));
    absl::StatusOr<int64_t> bytes = scale.WorkspaceBytes(*dims);
    ASSERT_TRUE(bytes.ok());
    EXPECT_EQ(*bytes, 64 * ((batch + 15) / 16) + 64);
    AlignedBuffer workspace = *AlignedBuffer::Create(*bytes);
    absl::StatusOr<std::vector<int64_t>> shape = scale.ResultShape(0, *dims);
    ASSERT_TRUE(shape.ok());
    EXPECT_THAT(*shape, ElementsAre(batch, 3));
    Tensor y = *Tensor::Create(DType::kF32, *shape);
    absl::Status status = scale.Call(std::vector<TensorView>{x, w},
                                     std::vector<MutableTensorView>{y}, workspace.span());
    ASSERT_TRUE(status.ok()) << status;
    for (int64_t i = 0; i < batch; ++i) {
      EXPECT_EQ(y.data<float>()[i * 3 + 2], 200.0f);
    }
  }
}

TEST(ExecutableTest, RunAllocatesResultsAndReusesAliasedInputs) {
  std::vector<Tensor> inputs;
  inputs.push_back(Floats({2, 3}, {1, 2, 3, 4, 5, 6}));
  inputs.push_back(Floats({3}, {1, 2, 3}));
  absl::StatusOr<std::vector<Tensor>> y = Make(Scale, kScaleInfo).Run(std::move(inputs));
  ASSERT_TRUE(y.ok()) << y.status();
  EXPECT_THAT((*y)[0].data<float>(), ElementsAre(1, 4, 9, 4, 10, 18));

  std::vector<Tensor> weights;
  weights.push_back(*Tensor::FromVector<double>({3}, {5, 6, 7}));
  weights.push_back(*Tensor::FromVector<double>({3}, {1, 1, 2}));
  const void* memory = weights[0].raw();
  absl::StatusOr<std::vector<Tensor>> w = Make(Update, kUpdateInfo).Run(std::move(weights));
  ASSERT_TRUE(w.ok()) << w.status();
  EXPECT_EQ((*w)[0].raw(), memory);
  EXPECT_THAT((*w)[0].data<double>(), ElementsAre(4, 5, 5));
}

TEST(ExecutableTest, ABoundCallRunsAgainAndAgain) {
  Tensor w = *Tensor::FromVector<double>({3}, {5, 6, 7});
  Tensor g = *Tensor::FromVector<double>({3}, {1, 1, 2});
  absl::StatusOr<BoundCall> step =
      Make(Update, kUpdateInfo)
          .Bind(std::vector<TensorView>{w, g}, std::vector<MutableTensorView>{w}, {});
  ASSERT_TRUE(step.ok()) << step.status();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(step->Run().ok());
  EXPECT_THAT(w.data<double>(), ElementsAre(2, 3, 1));
}

TEST(ExecutableTest, TheCodeLivesAsLongAsItsHandles) {
  auto code = std::make_shared<int>(0);
  std::weak_ptr<int> alive = code;
  absl::StatusOr<Executable> update = Executable::Create(Update, &kUpdateInfo, std::move(code));
  ASSERT_TRUE(update.ok());
  Tensor w = *Tensor::Zeros(DType::kF64, {3});
  Tensor g = *Tensor::Zeros(DType::kF64, {3});
  absl::StatusOr<BoundCall> step =
      update->Bind(std::vector<TensorView>{w, g}, std::vector<MutableTensorView>{w}, {});
  ASSERT_TRUE(step.ok());
  update = absl::UnknownError("gone");
  EXPECT_FALSE(alive.expired());
  step = absl::UnknownError("gone");
  EXPECT_TRUE(alive.expired());
}

TEST(ExecutableTest, CompiledCodeThatFailsIsReported) {
  Executable fails = Make(Fails, kUpdateInfo);
  Tensor w = *Tensor::Zeros(DType::kF64, {3});
  Tensor g = *Tensor::Zeros(DType::kF64, {3});
  std::vector<TensorView> in{w, g};
  std::vector<MutableTensorView> out{w};
  absl::Status status = fails.Call(in, out, {});
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Message(status), "update: compiled code returned 3, expected 0");
  EXPECT_EQ(fails.Bind(in, out, {})->Run(), status);
}

// ---- refusals ----

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

TEST(ExecutableTest, AliasesMustBeTheArgumentsMemory) {
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

TEST(ExecutableTest, ArgumentsMustAgreeOnSymbols) {
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

TEST(ExecutableTest, ResultsMustNotOverlapEachOther) {
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

TEST(ExecutableTest, TheWorkspaceSizeIsCheckedForOverflow) {
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

// @iota() -> (i32[B]): only the result has the symbol.
constexpr gradus_tensor_info kIotaResults[] = {{"y", GRADUS_I32, 1, kJustB, -1}};
const gradus_entry_info kIotaInfo{GRADUS_ABI_VERSION, "iota", 0,      1, 1, 0, nullptr,
                                  kIotaResults,       kB,     nullptr};
int32_t Iota(const void* const*, void* const* out, const int64_t* dims, void*,
             const gradus_threads*) {
  for (int64_t i = 0; i < dims[0]; ++i) static_cast<int32_t*>(out[0])[i] = static_cast<int32_t>(i);
  return 0;
}

TEST(ExecutableTest, ResultsBindSymbolsThatNoArgumentHas) {
  Executable iota = Make(Iota, kIotaInfo);
  Tensor y = *Tensor::Zeros(DType::kI32, {3});
  ASSERT_TRUE(iota.Call({}, std::vector<MutableTensorView>{y}, {}).ok());
  EXPECT_THAT(y.data<int32_t>(), ElementsAre(0, 1, 2));
  EXPECT_EQ(Message(iota.Run({}).status()),
            "iota: no argument has the symbol B in its shape, so its size is not known");
}

TEST(ExecutableTest, MalformedInfosAreRefused) {
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

// ---- allocation ----

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

// Code that calls another entry from inside a call, on the same thread, must not disturb the outer
// call's pointers.
int32_t CallsAnother(const void* const* in, void* const* out, const int64_t*, void*,
                     const gradus_threads*) {
  Tensor w = *Tensor::FromVector<double>({3}, {1, 1, 1}), g = *Tensor::Zeros(DType::kF64, {3});
  bool ok = Make(Update, kUpdateInfo)
                .Call(std::vector<TensorView>{w, g}, std::vector<MutableTensorView>{w}, {})
                .ok();
  static_cast<double*>(out[0])[0] += static_cast<const double*>(in[1])[0];
  return ok ? 0 : 1;
}

TEST(ExecutableTest, CallsMayNest) {
  Tensor w = *Tensor::FromVector<double>({3}, {1, 2, 3}),
         g = *Tensor::FromVector<double>({3}, {10, 0, 0});
  std::vector<TensorView> in{w, g};
  std::vector<MutableTensorView> out{w};
  Executable outer = Make(CallsAnother, kUpdateInfo);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(outer.Call(in, out, {}).ok());
  EXPECT_THAT(w.data<double>(), ElementsAre(21, 2, 3));
}

}  // namespace
}  // namespace gradus::runtime
