// The guard that the differential tests rely on: what it must notice, it notices.

#include "tests/guarded_run.h"

#include <gtest/gtest.h>

#include "runtime/abi.h"

namespace gradus::tests {
namespace {

// y = 2 x of three floats, by a function that may do more than it should.
struct Entry {
  gradus_dim dims[1] = {{3, -1}};
  gradus_tensor_info x{"x", GRADUS_F32, 1, dims, -1}, y{"y", GRADUS_F32, 1, dims, -1};
  gradus_term workspace{64, 0, {}, 0};
  gradus_entry_info info{.abi_version = GRADUS_ABI_VERSION,
                         .name = "double",
                         .argument_count = 1,
                         .result_count = 1,
                         .symbol_count = 0,
                         .workspace_term_count = 1,
                         .arguments = &x,
                         .results = &y,
                         .symbols = nullptr,
                         .workspace_bytes = &workspace,
                         .live_term_count = 0,
                         .live_bytes = nullptr};
  std::vector<runtime::Tensor> arguments;

  Entry() { arguments.push_back(runtime::Tensor::FromVector<float>({3}, {1, 2, 3}).value()); }
  absl::StatusOr<std::vector<runtime::Tensor>> Run(gradus_entry_fn function) {
    return RunGuarded(runtime::Executable::Create(function, &info).value(), arguments, "this test");
  }
};

// At x[read] and y[write] beside what it should do, and at byte `work` of the workspace.
template <int kRead, int kWrite, int kWork>
int32_t Double(const void* const* in, void* const* out, const int64_t*, void* workspace,
               const gradus_threads*) {
  const volatile float* x = static_cast<const float*>(in[0]);
  volatile float* y = static_cast<float*>(out[0]);
  for (int i = 0; i < 3; ++i) y[i] = 2 * x[i];
  (void)x[kRead];
  y[kWrite] = 2 * x[kWrite < 0 || kWrite > 2 ? 0 : kWrite];
  static_cast<volatile char*>(workspace)[kWork] = 1;
  return 0;
}

TEST(GuardedRun, GivesWhatTheCodeGives) {
  Entry e;
  const auto results = e.Run(Double<2, 2, 63>);
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_EQ(results->at(0).data<float>()[2], 6);
}

TEST(GuardedRunDeathTest, NoticesWhatIsTouchedOutside) {
  EXPECT_EXIT((void)Entry().Run(Double<3, 0, 0>), testing::ExitedWithCode(1),
              "0 bytes after the last of argument 0 \\(x\\), which has 12\n  in: this test");
  EXPECT_EXIT((void)Entry().Run(Double<-1, 0, 0>), testing::ExitedWithCode(1),
              "4 bytes before argument 0 \\(x\\)");
  EXPECT_EXIT((void)Entry().Run(Double<0, 3, 0>), testing::ExitedWithCode(1), "result 0 \\(y\\)");
  EXPECT_EXIT((void)Entry().Run(Double<0, 0, 64>), testing::ExitedWithCode(1), "the workspace");
}

int32_t ChangeArgument(const void* const* in, void* const* out, const int64_t*, void*,
                       const gradus_threads*) {
  for (int i = 0; i < 3; ++i) static_cast<float*>(out[0])[i] = 1;
  static_cast<float*>(const_cast<void*>(in[0]))[1] = 7;
  return 0;
}

int32_t LookAtAddresses(const void* const* in, void* const* out, const int64_t*, void*,
                        const gradus_threads*) {
  const bool aligned = reinterpret_cast<uintptr_t>(in[0]) % 64 == 0;
  for (int i = 0; i < 3; ++i) static_cast<float*>(out[0])[i] = aligned ? 1 : 2;
  return 0;
}

TEST(GuardedRun, NoticesWhatChangesInside) {
  EXPECT_EQ((Entry().Run(Double<0, -1, 0>).status().message()),
            "this test: wrote beside result 0 (y)");
  EXPECT_EQ((Entry().Run(Double<0, 0, -1>).status().message()),
            "this test: wrote beside the workspace");
  EXPECT_EQ(Entry().Run(ChangeArgument).status().message(), "this test: changed argument 0 (x)");
  EXPECT_EQ(Entry().Run(LookAtAddresses).status().message(),
            "this test: result 0 depends on where memory lies");
}

}  // namespace
}  // namespace gradus::tests
