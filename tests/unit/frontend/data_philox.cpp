#include "frontend/data/philox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <vector>

namespace gradus::data {
namespace {

using testing::ElementsAre;

// The known answers of the authors' Random123 library.
TEST(Philox, KnownAnswers) {
  EXPECT_THAT(Philox4x32({0, 0, 0, 0}, {0, 0}),
              ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_THAT(Philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(
      Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
      ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(PhiloxStream, IsTheBlocksInOrder) {
  PhiloxStream random(0x1122334455667788, 0x99aabbccddeeff00);
  for (uint32_t block = 0; block < 3; ++block) {
    for (uint32_t word : Philox4x32({block, 0, 0xddeeff00, 0x99aabbcc}, {0x55667788, 0x11223344})) {
      EXPECT_EQ(random.Next(), word);
    }
  }
}

TEST(PhiloxStream, SeedsAndStreamsDiffer) {
  std::map<uint32_t, int> seen;
  for (uint64_t seed : {0u, 1u, 2u}) {
    for (uint64_t stream : {0u, 1u, 2u}) ++seen[PhiloxStream(seed, stream).Next()];
  }
  EXPECT_EQ(seen.size(), 9u);
}

TEST(PhiloxStream, UniformIsInRangeWithTheRightMoments) {
  PhiloxStream random(1);
  constexpr int kCount = 100'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double u = random.Uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
  }
  // Five standard errors: sqrt(1/12/n) and sqrt(4/45/n).
  EXPECT_NEAR(sum / kCount, 0.5, 5 * std::sqrt(1.0 / 12 / kCount));
  EXPECT_NEAR(squares / kCount, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kCount));
}

TEST(PhiloxStream, NormalHasTheRightMoments) {
  PhiloxStream random(2);
  constexpr int kCount = 100'000;
  double sum = 0, squares = 0, fourth = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = random.Normal();
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / kCount, 0, 5 * std::sqrt(1.0 / kCount));
  EXPECT_NEAR(squares / kCount, 1, 5 * std::sqrt(2.0 / kCount));
  EXPECT_NEAR(fourth / kCount, 3, 5 * std::sqrt(96.0 / kCount));
}

TEST(PhiloxStream, BelowCoversItsRangeEvenly) {
  PhiloxStream random(3);
  std::vector<int> counts(7);
  constexpr int kCount = 70'000;
  for (int i = 0; i < kCount; ++i) ++counts[random.Below(7)];
  for (int count : counts) EXPECT_NEAR(count, 10'000, 5 * std::sqrt(10'000 * 6.0 / 7));
  EXPECT_EQ(random.Below(1), 0u);
  // With this bound almost half of all words are redrawn; what is kept must still fill the range.
  const uint64_t large = (uint64_t{1} << 63) + 1;
  bool upper_half = false;
  for (int i = 0; i < 64; ++i) {
    const uint64_t value = random.Below(large);
    ASSERT_LT(value, large);
    upper_half |= value > large / 2;
  }
  EXPECT_TRUE(upper_half);
}

TEST(Shuffle, IsAPermutationAndFollowsTheSeed) {
  std::vector<int64_t> base(100);
  std::iota(base.begin(), base.end(), 0);
  std::vector<int64_t> a = base, b = base, c = base;
  PhiloxStream one(5), same(5), other(6);
  Shuffle(a, one);
  Shuffle(b, same);
  Shuffle(c, other);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, base);
  EXPECT_NE(a, c);
  EXPECT_THAT(a, testing::UnorderedElementsAreArray(base));
}

TEST(Shuffle, AllOrdersOfThreeAreEquallyLikely) {
  std::map<std::vector<int64_t>, int> seen;
  PhiloxStream random(7);
  constexpr int kCount = 12'000;
  for (int i = 0; i < kCount; ++i) {
    std::vector<int64_t> order = {0, 1, 2};
    Shuffle(order, random);
    ++seen[order];
  }
  EXPECT_EQ(seen.size(), 6u);
  for (const auto& [order, count] : seen) EXPECT_NEAR(count, 2000, 5 * std::sqrt(2000 * 5.0 / 6));
}

}  // namespace
}  // namespace gradus::data
