#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "examples/electricity_theft/synthetic_meters.h"
#include "frontend/data/csv.h"

namespace gradus::electricity_theft {
namespace {

using data::NonNumeric;
using data::PhiloxStream;
using data::Table;
using testing::Each;
using testing::HasSubstr;

uint64_t Fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

double Sum(const Readings& readings) {
  return std::accumulate(readings.begin(), readings.end(), 0.0);
}

TEST(SyntheticMeters, ReadsAsTheFormOfTheExample) {
  const std::string csv = MakeMetersCsv().value();
  const Table table = data::ParseCsv(csv).value();
  EXPECT_EQ(table.rows(), 5000);
  EXPECT_THAT(table.names(),
              testing::ElementsAre("CUSTOMER", "FLAG", "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"));
  EXPECT_EQ((*table.Text("CUSTOMER").value())[4999], "C05000");
  const auto flags = table.Numbers("FLAG").value();
  EXPECT_THAT(flags, Each(testing::AnyOf(0, 1)));
  const double thieves = std::accumulate(flags.begin(), flags.end(), 0.0) / 5000;
  EXPECT_GT(thieves, 0.09);
  EXPECT_LT(thieves, 0.13);

  // Spoilt cells make columns text until they are coerced, and some cells are missing.
  EXPECT_TRUE(table.Text("Jan").ok());
  const Table months = data::ParseCsv(csv, {.non_numeric = NonNumeric::kCoerce})
                           .value()
                           .Drop({"CUSTOMER", "FLAG"})
                           .value();
  const double missing = static_cast<double>(months.CountMissing()) / (5000 * kMonths);
  EXPECT_NEAR(missing, 0.009, 0.003);
  for (const std::string& name : months.names()) {
    const auto filled = months.FillMissing(0);
    const auto readings = filled.Numbers(name).value();
    EXPECT_GE(std::ranges::min(readings), 0);
    EXPECT_LT(std::ranges::max(readings), 3000);
    const double mean = std::accumulate(readings.begin(), readings.end(), 0.0) / 5000;
    EXPECT_GT(mean, 150);
    EXPECT_LT(mean, 500);
  }
}

TEST(SyntheticMeters, AreTheSameEverywhere) {
  const std::string csv = MakeMetersCsv({.customers = 1000, .seed = 1}).value();
  EXPECT_EQ(Fnv1a(csv), uint64_t{9699652522582650830u}) << csv.substr(0, 500);
  EXPECT_NE(csv, MakeMetersCsv({.customers = 1000, .seed = 2}).value());
  // A customer does not depend on how many there are.
  EXPECT_TRUE(csv.starts_with(MakeMetersCsv({.customers = 10, .seed = 1}).value()));
}

TEST(SyntheticMeters, RefusesAbsurdCounts) {
  EXPECT_THAT(std::string(MakeMetersCsv({.customers = 0}).status().message()), HasSubstr("got 0"));
  EXPECT_FALSE(MakeMetersCsv({.customers = -1}).ok());
  EXPECT_FALSE(MakeMetersCsv({.customers = int64_t{1} << 60}).ok());
}

TEST(SyntheticMeters, WinterOutweighsSummer) {
  PhiloxStream random(11);
  double winter = 0, summer = 0;
  for (int i = 0; i < 2000; ++i) {
    const Readings readings = MakeHousehold(random);
    for (double reading : readings) ASSERT_GE(reading, 0);
    winter += readings[0] + readings[11];
    summer += readings[5] + readings[6];
  }
  EXPECT_GT(winter, 1.1 * summer);
}

class TamperWith : public testing::TestWithParam<int> {
 protected:
  static Readings Honest(uint64_t i) {
    PhiloxStream random(3, i);
    return MakeHousehold(random);
  }
};

TEST_P(TamperWith, ChangesWhatItSays) {
  const auto kind = static_cast<Tampering>(GetParam());
  for (uint64_t i = 0; i < 50; ++i) {
    PhiloxStream random(4, i);
    const Readings honest = Honest(i);
    const Readings shown = Tamper(kind, honest, random);
    ASSERT_NE(shown, honest);
    const double mean = Sum(honest) / kMonths;
    Readings ratio;
    for (size_t m = 0; m < kMonths; ++m) ratio[m] = shown[m] / honest[m];
    const auto changed = [](double r) { return r != 1; };
    const auto first = std::ranges::find_if(ratio, changed);
    switch (kind) {
      case Tampering::kConstantFraction:
        EXPECT_THAT(std::vector(first, ratio.end()), Each(testing::DoubleNear(*first, 1e-12)));
        EXPECT_GE(*first, 0.1);
        EXPECT_LT(*first, 0.8);
        break;
      case Tampering::kBypass: EXPECT_THAT(std::vector(first, ratio.end()), Each(0)); break;
      case Tampering::kRandomFractions:
        EXPECT_THAT(ratio, Each(testing::AllOf(testing::Ge(0.1 - 1e-12), testing::Lt(0.8))));
        EXPECT_NE(ratio[0], ratio[1]);
        break;
      case Tampering::kFractionsOfMean:
        for (double x : shown) EXPECT_TRUE(x >= 0.1 * mean - 1e-9 && x < 0.8 * mean);
        EXPECT_NE(shown[0], shown[1]);
        break;
      case Tampering::kMean: EXPECT_THAT(shown, Each(testing::DoubleNear(mean, 1e-9))); break;
      case Tampering::kReversed:
        for (size_t m = 0; m < kMonths; ++m) EXPECT_EQ(shown[m], honest[kMonths - 1 - m]);
        break;
      case Tampering::kCeiling: {
        const double ceiling = std::ranges::max(shown);
        EXPECT_GE(ceiling, 0.4 * std::ranges::max(honest));
        EXPECT_LT(ceiling, 0.8 * std::ranges::max(honest));
        for (size_t m = 0; m < kMonths; ++m) EXPECT_EQ(shown[m], std::min(honest[m], ceiling));
        break;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryWay, TamperWith, testing::Range(0, kTamperings));

}  // namespace
}  // namespace gradus::electricity_theft
