#include "runtime/aligned_buffer.h"

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <ios>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gradus::runtime {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;

uintptr_t Address(const AlignedBuffer& buffer) {
  return reinterpret_cast<uintptr_t>(buffer.data());
}

TEST(AlignedBufferTest, LargeBuffersStartAtAHugePageAndOthersAtALine) {
  AlignedBuffer large = *AlignedBuffer::Create(3 * kHugePage + 5);
  EXPECT_EQ(Address(large) % static_cast<uintptr_t>(kHugePage), 0U);
  std::memset(large.data(), 1, large.size());
  AlignedBuffer small = *AlignedBuffer::Create(5);
  EXPECT_EQ(Address(small) % kAlignment, 0U);
  small = std::move(large);  // each frees what it was made of
  EXPECT_EQ(small.size(), static_cast<size_t>(3 * kHugePage + 5));
  EXPECT_EQ(small.data()[small.size() - 1], std::byte{1});
}

#if defined(__linux__)
// The flags that the kernel keeps for the mapping of an address.
std::string FlagsOf(uintptr_t address) {
  std::ifstream maps("/proc/self/smaps");
  std::string flags;
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    uintptr_t begin = 0, end = 0;
    char dash = 0;
    if (words >> std::hex >> begin >> dash >> end && dash == '-') {
      inside = begin <= address && address < end;
    } else if (inside && line.starts_with("VmFlags:")) {
      return line;
    }
  }
  return flags;
}

TEST(AlignedBufferTest, WholePagesOfLargeBuffersAskToBeHuge) {
  if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage")) {
    GTEST_SKIP() << "this kernel has no huge pages";
  }
  AlignedBuffer buffer = *AlignedBuffer::Create(2 * kHugePage + kHugePage / 2);
  EXPECT_THAT(FlagsOf(Address(buffer)), testing::ContainsRegex(" hg( |$)"));
  EXPECT_THAT(FlagsOf(Address(buffer) + static_cast<uintptr_t>(2 * kHugePage) - 1),
              testing::ContainsRegex(" hg( |$)"));
  EXPECT_THAT(FlagsOf(Address(buffer) + static_cast<uintptr_t>(2 * kHugePage)),
              testing::Not(testing::ContainsRegex(" hg( |$)")));
}
#endif

}  // namespace
}  // namespace gradus::runtime
