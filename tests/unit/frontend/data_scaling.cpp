#include "frontend/data/scaling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "frontend/data/csv.h"

namespace gradus::data {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsNan;

Table Parse(std::string_view text) { return ParseCsv(text).value(); }

TEST(Scaler, StandardiseByTheTrainingPart) {
  const Scaler scaler = Scaler::FitStandard(Parse("a,b\n1,5\n3,\n5,7\n")).value();
  EXPECT_EQ(scaler.columns()[0].name, "a");
  EXPECT_DOUBLE_EQ(scaler.columns()[0].offset, 3);
  EXPECT_DOUBLE_EQ(scaler.columns()[0].scale, std::sqrt(8.0 / 3));
  EXPECT_DOUBLE_EQ(scaler.columns()[1].offset, 6);
  EXPECT_DOUBLE_EQ(scaler.columns()[1].scale, 1);
  const Table test = scaler.Apply(Parse("a,b\n3,8\n,5\n")).value();
  EXPECT_THAT(test.Numbers("a").value(), ElementsAre(0, IsNan()));
  EXPECT_THAT(test.Numbers("b").value(), ElementsAre(2, -1));
}

TEST(Scaler, MinMaxByTheTrainingPart) {
  const Scaler scaler = Scaler::FitMinMax(Parse("a\n2\n6\n4\n")).value();
  EXPECT_THAT(scaler.Apply(Parse("a\n2\n6\n5\n10\n")).value().Numbers("a").value(),
              ElementsAre(0, 1, 0.75, 2));
}

TEST(Scaler, ConstantColumnsBecomeZero) {
  // The mean of three times 0.1 is not 0.1 in double.
  const Table table = Parse("a,b\n0.1,1\n0.1,2\n0.1,3\n");
  for (const auto& scaler : {Scaler::FitStandard(table), Scaler::FitMinMax(table)}) {
    EXPECT_THAT(scaler->Apply(table).value().Numbers("a").value(), ElementsAre(0, 0, 0));
    EXPECT_EQ(scaler->columns()[0].scale, 1);
  }
}

TEST(Scaler, LargeOffsetsKeepTheirDeviation) {
  const Table table = Parse("a\n1000000000001\n1000000000002\n1000000000003\n");
  EXPECT_THAT(Scaler::FitStandard(table)->columns()[0].scale,
              DoubleNear(std::sqrt(2.0 / 3), 1e-12));
}

TEST(Scaler, Errors) {
  EXPECT_THAT(std::string(Scaler::FitStandard(Parse("a\nx\n")).status().message()),
              HasSubstr("\"a\" holds text"));
  EXPECT_THAT(std::string(Scaler::FitMinMax(Parse("a,b\n,1\n,2\n")).status().message()),
              HasSubstr("\"a\" has no number in the training part"));
  EXPECT_THAT(std::string(Scaler::FitMinMax(Parse("a\n-1.7e308\n1.7e308\n")).status().message()),
              HasSubstr("too wide"));
  const Scaler scaler = Scaler::FitStandard(Parse("a,b\n1,2\n2,3\n")).value();
  EXPECT_THAT(std::string(scaler.Apply(Parse("a\n1\n")).status().message()),
              HasSubstr("learned from 2 columns, and the table has 1"));
  EXPECT_THAT(std::string(scaler.Apply(Parse("b,a\n1,2\n")).status().message()),
              HasSubstr("learned from column \"a\" where the table has \"b\""));
}

}  // namespace
}  // namespace gradus::data
