#include "frontend/data/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "runtime/npy.h"

namespace gradus::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// `counts[c]` rows of class c, classes mixed in turn.
std::vector<double> Labels(std::vector<int> counts) {
  std::vector<double> labels;
  for (bool any = true; any;) {
    any = false;
    for (size_t c = 0; c < counts.size(); ++c) {
      if (counts[c]-- > 0) {
        labels.push_back(static_cast<double>(c));
        any = true;
      }
    }
  }
  return labels;
}

std::map<double, int> Count(const std::vector<double>& labels, const std::vector<int64_t>& rows) {
  std::map<double, int> counts;
  for (int64_t row : rows) ++counts[labels[static_cast<size_t>(row)]];
  return counts;
}

void ExpectPartition(const Split& split, size_t rows) {
  std::vector<int64_t> all = split.train;
  all.insert(all.end(), split.test.begin(), split.test.end());
  std::ranges::sort(all);
  std::vector<int64_t> expected(rows);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(all, expected);
}

TEST(StratifiedSplit, KeepsTheShares) {
  const std::vector<double> labels = Labels({313, 47});
  const Split split = StratifiedSplit(labels, 0.3, 42).value();
  ExpectPartition(split, 360);
  EXPECT_EQ(split.test.size(), 108u);
  EXPECT_THAT(Count(labels, split.test), ElementsAre(std::pair(0, 94), std::pair(1, 14)));
}

TEST(StratifiedSplit, SizesAreExactForManyFractionsAndClasses) {
  for (const std::vector<int>& counts : std::vector<std::vector<int>>{
           {2, 2}, {5, 5, 5}, {100, 3, 2}, {7, 11, 13, 17}, {50}, {2, 2, 2, 2, 2, 90}}) {
    const std::vector<double> labels = Labels(counts);
    for (double fraction : {0.05, 0.1, 0.25, 0.5, 0.61, 0.9}) {
      const auto split = StratifiedSplit(labels, fraction, 1);
      const auto tested =
          static_cast<size_t>(std::ceil(fraction * static_cast<double>(labels.size())));
      if (tested < counts.size() || labels.size() - tested < counts.size()) {
        EXPECT_FALSE(split.ok());
        continue;
      }
      ASSERT_TRUE(split.ok()) << split.status();
      ExpectPartition(*split, labels.size());
      EXPECT_EQ(split->test.size(), tested);
      EXPECT_EQ(Count(labels, split->test).size(), counts.size());
      EXPECT_EQ(Count(labels, split->train).size(), counts.size());
    }
  }
}

TEST(StratifiedSplit, RoundsBySmallestLoss) {
  // Shares of the test part: 1.2, 1.2, 1.6; four rows wanted.
  const std::vector<double> labels = Labels({6, 6, 8});
  const Split split = StratifiedSplit(labels, 0.2, 3).value();
  EXPECT_THAT(Count(labels, split.test),
              ElementsAre(std::pair(0, 1), std::pair(1, 1), std::pair(2, 2)));
}

TEST(StratifiedSplit, FollowsTheSeed) {
  const std::vector<double> labels = Labels({50, 50});
  const Split a = StratifiedSplit(labels, 0.3, 1).value();
  const Split b = StratifiedSplit(labels, 0.3, 1).value();
  const Split c = StratifiedSplit(labels, 0.3, 2).value();
  EXPECT_EQ(a.train, b.train);
  EXPECT_EQ(a.test, b.test);
  EXPECT_NE(a.test, c.test);
  EXPECT_FALSE(std::ranges::is_sorted(a.train));
}

TEST(StratifiedSplit, Errors) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto message = [](std::vector<double> labels, double fraction) {
    return std::string(StratifiedSplit(labels, fraction, 0).status().message());
  };
  EXPECT_THAT(message({0, 0, 1, 1}, 0), HasSubstr("between 0 and 1, got 0"));
  EXPECT_THAT(message({0, 0, 1, 1}, 1), HasSubstr("between 0 and 1, got 1"));
  EXPECT_THAT(message({0, 0, 1, 1}, nan), HasSubstr("between 0 and 1, got nan"));
  EXPECT_THAT(message({0, nan, 1}, 0.5), HasSubstr("row 1 has no label"));
  EXPECT_THAT(message({0, 0, 7}, 0.5), HasSubstr("class 7 has one row"));
  EXPECT_THAT(message({0, 0, 1, 1}, 0.1), HasSubstr("parts of 3 and 1 rows"));
  EXPECT_FALSE(StratifiedSplit({}, 0.5, 0).ok());
}

TEST(StratifiedFolds, ShareOutEveryRow) {
  const std::vector<double> labels = Labels({23, 7});
  const std::vector<Split> folds = StratifiedFolds(labels, 5, 9).value();
  ASSERT_EQ(folds.size(), 5u);
  std::vector<int> tested(labels.size());
  for (const Split& fold : folds) {
    ExpectPartition(fold, labels.size());
    EXPECT_EQ(fold.test.size(), 6u);
    for (int64_t row : fold.test) ++tested[static_cast<size_t>(row)];
    const auto counts = Count(labels, fold.test);
    EXPECT_THAT(counts.at(0), testing::AnyOf(4, 5));
    EXPECT_THAT(counts.at(1), testing::AnyOf(1, 2));
  }
  EXPECT_THAT(tested, testing::Each(1));
  EXPECT_FALSE(StratifiedFolds(labels, 1, 0).ok());
  EXPECT_FALSE(StratifiedFolds(labels, 8, 0).ok());
}

TEST(SplitByRows, ChecksTheRows) {
  const auto message = [](Split split) {
    return std::string(SplitByRows(std::move(split), 5).status().message());
  };
  EXPECT_TRUE(SplitByRows({{0, 4}, {2}}, 5).ok());
  EXPECT_THAT(message({{0, 5}, {2}}), HasSubstr("training row 5 does not exist"));
  EXPECT_THAT(message({{0}, {-1}}), HasSubstr("test row -1 does not exist"));
  EXPECT_THAT(message({{0, 1, 0}, {2}}), HasSubstr("training row 0 is given twice"));
  EXPECT_THAT(message({{0}, {2, 2}}), HasSubstr("test row 2 is given twice"));
  EXPECT_THAT(message({{0, 1}, {2, 1}}), HasSubstr("row 1 is in both"));
  EXPECT_THAT(message({{}, {2}}), HasSubstr("the training part is empty"));
  EXPECT_THAT(message({{1}, {}}), HasSubstr("the test part is empty"));
  EXPECT_FALSE(SplitByRows({{0}, {1}}, -3).ok());
}

TEST(SplitFromNpy, ReadsAndNamesFiles) {
  const std::string train = testing::TempDir() + "/data_split_train.npy";
  const std::string test = testing::TempDir() + "/data_split_test.npy";
  const auto write = [](const std::string& path, const auto& values,
                        const std::vector<int64_t>& shape) {
    ASSERT_TRUE(runtime::WriteNpy(path, runtime::Tensor::FromVector(shape, values).value()).ok());
  };
  write(train, std::vector<int64_t>{3, 0}, {2});
  write(test, std::vector<int32_t>{1, 2}, {2});
  const Split split = SplitFromNpy(train, test, 4).value();
  EXPECT_THAT(split.train, ElementsAre(3, 0));
  EXPECT_THAT(split.test, ElementsAre(1, 2));
  EXPECT_THAT(std::string(SplitFromNpy(train, test, 3).status().message()),
              testing::AllOf(HasSubstr(train), HasSubstr("training row 3 does not exist")));
  write(test, std::vector<float>{1, 2}, {2});
  EXPECT_THAT(std::string(SplitFromNpy(train, test, 4).status().message()),
              testing::AllOf(HasSubstr(test), HasSubstr("f32[2]")));
  write(test, std::vector<int64_t>{1, 2}, {1, 2});
  EXPECT_FALSE(SplitFromNpy(train, test, 4).ok());
  EXPECT_FALSE(SplitFromNpy(train, "/nowhere/x.npy", 4).ok());
}

}  // namespace
}  // namespace gradus::data
