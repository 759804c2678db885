#include "runtime/executable.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/runtime/handmade_entries.h"

namespace gradus::runtime {
namespace {

using ::testing::ElementsAre;
using testing::Fails;
using testing::Floats;
using testing::kB;
using testing::kJustB;
using testing::kScaleInfo;
using testing::kUpdateInfo;
using testing::Make;
using testing::Message;
using testing::Scale;
using testing::Update;

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
