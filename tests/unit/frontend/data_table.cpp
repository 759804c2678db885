#include "frontend/data/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "frontend/data/csv.h"
#include "frontend/data/philox.h"

namespace gradus::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsNan;

Table Meters() { return ParseCsv("id,flag,jan,feb\nC1,0,10,n/k\nC2,1,,20\nC3,0,30,40\n").value(); }

TEST(Table, KnowsItsColumns) {
  const Table table = Meters();
  EXPECT_EQ(table.rows(), 3);
  EXPECT_THAT(table.names(), ElementsAre("id", "flag", "jan", "feb"));
  EXPECT_TRUE(table.Has("jan"));
  EXPECT_FALSE(table.Has("Jan"));
  EXPECT_THAT(table.Numbers("jan").value(), ElementsAre(10, IsNan(), 30));
  EXPECT_EQ((*table.Text("id").value())[1], "C2");
}

TEST(Table, SelectAndDropKeepWholeColumns) {
  const Table table = Meters();
  EXPECT_THAT(table.Select({"jan", "id"}).value().names(), ElementsAre("jan", "id"));
  const Table rest = table.Drop({"flag", "id"}).value();
  EXPECT_THAT(rest.names(), ElementsAre("jan", "feb"));
  EXPECT_EQ(rest.rows(), 3);
  EXPECT_EQ(table.Drop({"id", "flag", "jan", "feb"}).value().rows(), 3);
  EXPECT_FALSE(table.Select({"jan", "jan"}).ok());
}

TEST(Table, UnknownColumnsAreNamedWithTheKnown) {
  const Table table = Meters();
  for (const absl::Status& status : {table.Select({"mar"}).status(), table.Drop({"mar"}).status(),
                                     table.Numbers("mar").status(), table.Text("mar").status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("no column \"mar\"; there are id, flag, jan, feb"));
  }
}

TEST(Table, WrongKindOfColumn) {
  const Table table = Meters();
  EXPECT_THAT(std::string(table.Numbers("feb").status().message()), HasSubstr("holds text"));
  EXPECT_THAT(std::string(table.Text("jan").status().message()), HasSubstr("holds numbers"));
}

TEST(Table, RowsInAnyOrder) {
  const Table table = Meters().Rows(std::vector<int64_t>{2, 0, 2}).value();
  EXPECT_EQ(table.rows(), 3);
  EXPECT_THAT(table.Numbers("jan").value(), ElementsAre(30, 10, 30));
  EXPECT_EQ((*table.Text("id").value())[0], "C3");
  EXPECT_EQ((*table.Text("id").value())[1], "C1");
  EXPECT_EQ(Meters().Rows({}).value().rows(), 0);
  EXPECT_FALSE(Meters().Rows(std::vector<int64_t>{3}).ok());
  EXPECT_FALSE(Meters().Rows(std::vector<int64_t>{-1}).ok());
}

TEST(Table, ToNumeric) {
  const Table months = Meters().Drop({"id"}).value();
  EXPECT_THAT(months.ToNumeric(true).value().Numbers("feb").value(), ElementsAre(IsNan(), 20, 40));
  EXPECT_THAT(std::string(months.ToNumeric(false).status().message()),
              HasSubstr("column \"feb\", row 0: expected a number, got \"n/k\""));
}

TEST(Table, FillMissing) {
  const Table table = Meters();
  EXPECT_EQ(table.CountMissing(), 1);
  const Table filled = table.FillMissing(-1);
  EXPECT_EQ(filled.CountMissing(), 0);
  EXPECT_THAT(filled.Numbers("jan").value(), ElementsAre(10, -1, 30));
  EXPECT_EQ((*filled.Text("feb").value())[0], "n/k");
}

TEST(Table, ToTensorIsRowMajor) {
  const Table table = Meters().Select({"flag", "jan"}).value().FillMissing(0);
  const runtime::Tensor floats = table.ToTensor().value();
  EXPECT_THAT(floats.shape(), ElementsAre(3, 2));
  EXPECT_THAT(floats.data<float>(), ElementsAre(0, 10, 1, 0, 0, 30));
  EXPECT_THAT(table.ToTensor(runtime::DType::kF64).value().data<double>(),
              ElementsAre(0, 10, 1, 0, 0, 30));
  EXPECT_FALSE(table.ToTensor(runtime::DType::kI32).ok());
  EXPECT_THAT(std::string(Meters().ToTensor().status().message()), HasSubstr("\"id\" holds text"));
}

// The short way through ParseNumber must agree with strtod to the last bit.
TEST(ParseNumber, AgreesWithTheLibrary) {
  std::vector<std::string> cells = {"0",
                                    ".0",
                                    "0.",
                                    "000",
                                    "999999999999999",
                                    "9999999999999999",
                                    ".999999999999999",
                                    "99999999.9999999",
                                    "1.000000000000001",
                                    "0.1",
                                    "0.3",
                                    "123456789.123456",
                                    "0000000000000.1"};
  PhiloxStream random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string cell = std::to_string(random.Below(uint64_t{1} << random.Below(60)));
    if (random.Below(4) > 0) cell.insert(random.Below(cell.size() + 1), 1, '.');
    cells.push_back(cell);
  }
  for (const std::string& cell : cells) {
    double value = -1;
    if (cell == ".") continue;
    ASSERT_TRUE(ParseNumber(cell, value)) << cell;
    ASSERT_EQ(value, std::strtod(cell.c_str(), nullptr)) << cell;
  }
  for (const char* cell : {".", "1.2.3", "1..2", "-", "+", "1e", "1,2", "12a", "0x1", "- 1"}) {
    double value = -1;
    EXPECT_FALSE(ParseNumber(cell, value)) << cell;
    EXPECT_TRUE(std::isnan(value)) << cell;
  }
}

TEST(Table, CreateChecksItsColumns) {
  const std::vector<double> two = {1, 2}, three = {1, 2, 3};
  EXPECT_FALSE(Table::Create({{"a", two}, {"a", two}}).ok());
  EXPECT_THAT(std::string(Table::Create({{"a", two}, {"b", three}}).status().message()),
              HasSubstr("column \"b\" has 3 rows, and column \"a\" has 2"));
  EXPECT_EQ(Table::Create({}).value().rows(), 0);
}

}  // namespace
}  // namespace gradus::data
