#include "runtime/entry_info.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gradus::runtime {
namespace {

using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

constexpr gradus_dim k3[] = {{3, -1}};
constexpr gradus_dim kJustB[] = {{-1, 0}};
const char* const kB[] = {"B"};

TEST(EntryInfoTest, TheWorkspaceIsTheLargestSum) {
  // max(64 + 4 * B, 16 * B), of which at most 12 * B are in use.
  constexpr gradus_term kTerms[] = {
      {64, 0, {}, 0}, {4, 1, {{1, 1, 1, {0}}, {}}, 0}, {16, 1, {{1, 1, 1, {0}}, {}}, 1}};
  constexpr gradus_term kLive[] = {{12, 1, {{1, 1, 1, {0}}, {}}, 0}};
  const gradus_entry_info info{
      GRADUS_ABI_VERSION, "f", 0, 0, 1, 3, nullptr, nullptr, kB, kTerms, 1, kLive};
  EXPECT_EQ(CheckEntryInfo(info), absl::OkStatus());
  const auto at = [](int64_t batch) { return std::vector<int64_t>{batch}; };
  EXPECT_EQ(*EvaluateWorkspaceBytes(info, at(0)), 64);
  EXPECT_EQ(*EvaluateWorkspaceBytes(info, at(5)), 84);
  EXPECT_EQ(*EvaluateWorkspaceBytes(info, at(6)), 96);
  EXPECT_EQ(*EvaluateLiveBytes(info, at(6)), 72);
  EXPECT_FALSE(EvaluateWorkspaceBytes(info, at(int64_t{1} << 60)).ok());
}

TEST(EntryInfoTest, MalformedInfosAreRefused) {
  const gradus_dim bad_symbol[] = {{-1, 1}};
  const gradus_dim bad_size[] = {{-1, -1}};
  const gradus_tensor_info good{"x", GRADUS_F32, 1, k3, -1};
  auto with_argument = [&](const gradus_tensor_info& argument, std::string_view expected) {
    gradus_entry_info info{GRADUS_ABI_VERSION, "f", 1, 0, 1, 0, &argument, nullptr, kB, nullptr};
    EXPECT_EQ(Message(CheckEntryInfo(info)),
              "entry info of `f` is malformed: argument 0 `x`: " + std::string(expected));
  };
  with_argument({"x", 9, 1, k3, -1}, "unknown dtype 9");
  with_argument({"x", GRADUS_F32, -1, k3, -1}, "rank -1");
  with_argument({"x", GRADUS_F32, 1, nullptr, -1}, "no dims");
  with_argument({"x", GRADUS_F32, 1, bad_symbol, -1}, "symbol 1 on axis 0, of 1 symbols");
  with_argument({"x", GRADUS_F32, 1, bad_size, -1}, "size -1 on axis 0");

  auto with_result = [&](std::vector<gradus_tensor_info> results, std::string_view expected) {
    gradus_entry_info info{
        GRADUS_ABI_VERSION, "f", 1,      static_cast<int32_t>(results.size()), 1, 0, &good,
        results.data(),     kB,  nullptr};
    EXPECT_THAT(Message(CheckEntryInfo(info)), HasSubstr(std::string(expected)));
  };
  with_result({{"y", GRADUS_F32, 1, k3, 1}}, "result 0 `y`: uses the memory of argument 1, of 1");
  with_result({{"y", GRADUS_F64, 1, k3, 0}},
              "f64[3] uses the memory of argument 0 `x`, which is f32[3]");
  with_result({{"y", GRADUS_F32, 1, kJustB, 0}}, "f32[B] uses the memory of argument 0 `x`");
  with_result({{"y", GRADUS_F32, 1, k3, 0}, {"z", GRADUS_F32, 1, k3, 0}},
              "result 1 `z`: uses the memory of argument 0 `x`, as does another result");

  auto with_term = [&](const gradus_term& term, std::string_view expected) {
    gradus_entry_info info{GRADUS_ABI_VERSION, "f", 0, 0, 1, 1, nullptr, nullptr, kB, &term};
    EXPECT_THAT(Message(CheckEntryInfo(info)),
                HasSubstr("workspace term 0: " + std::string(expected)));
  };
  with_term({1, 3, {}}, "3 factors");
  with_term({1, 1, {{1, 0, 0, {}}, {}}}, "divisor 0");
  with_term({1, 1, {{-1, 1, 0, {}}, {}}}, "scale -1");
  with_term({1, 1, {{1, 1, 4, {}}, {}}}, "4 symbols in a factor");
  with_term({1, 1, {{1, 1, 1, {1}}, {}}}, "symbol 1, of 1 symbols");
  with_term({1, 0, {}, 1}, "of sum 1, expected 0 at most");
}

}  // namespace
}  // namespace gradus::runtime
