#include "frontend/data/windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "frontend/data/balance.h"
#include "frontend/data/split.h"

namespace gradus::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// 0, 1, 2, ... in this shape.
runtime::Tensor Counting(std::vector<int64_t> shape) {
  runtime::Tensor t = runtime::Tensor::Zeros(runtime::DType::kF32, std::move(shape)).value();
  std::iota(t.data<float>().begin(), t.data<float>().end(), 0.0F);
  return t;
}

TEST(Windows, OfRowsOverlap) {
  const auto w = RowWindows(Counting({4, 2}), 3);
  ASSERT_TRUE(w.ok()) << w.status();
  EXPECT_THAT(w->shape(), ElementsAre(2, 3, 2));
  EXPECT_THAT(w->data<float>(), ElementsAre(0, 1, 2, 3, 4, 5, 2, 3, 4, 5, 6, 7));
  const auto strided = RowWindows(Counting({7}), 2, 3);
  ASSERT_TRUE(strided.ok()) << strided.status();
  EXPECT_THAT(strided->shape(), ElementsAre(2, 2));
  EXPECT_THAT(strided->data<float>(), ElementsAre(0, 1, 3, 4));
}

TEST(Windows, SequencesAreLabelledByTheirLastRow) {
  const Dataset rows = Dataset::Of({"x", Counting({360, 12})}, {"y", Counting({360, 1})}).value();
  const auto sequences = CreateSequences(rows, 12);
  ASSERT_TRUE(sequences.ok()) << sequences.status();
  EXPECT_THAT(sequences->inputs()[0].tensor.shape(), ElementsAre(349, 12, 12));
  EXPECT_THAT(sequences->targets()[0].tensor.shape(), ElementsAre(349, 1));
  for (size_t i = 0; i < 349; ++i) {
    ASSERT_EQ(sequences->targets()[0].tensor.data<float>()[i], static_cast<float>(i + 11));
    // The first number of the window's last row.
    ASSERT_EQ(sequences->inputs()[0].tensor.data<float>()[i * 144 + 132],
              static_cast<float>(12 * (i + 11)));
  }
}

TEST(Windows, OverTimeForecast) {
  const auto one = TimeWindows(Counting({6, 1}), {.length = 2, .horizon = 2, .answers = 2});
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_THAT(one->inputs()[0].tensor.shape(), ElementsAre(2, 2, 1));
  EXPECT_THAT(one->inputs()[0].tensor.data<float>(), ElementsAre(0, 1, 1, 2));
  EXPECT_THAT(one->targets()[0].tensor.data<float>(), ElementsAre(3, 4, 4, 5));
  EXPECT_EQ(one->targets()[0].name, "x_next");
  // Two series of four steps: no window crosses from one to the other.
  const auto two = TimeWindows(Counting({2, 4, 1}), {.length = 2});
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_THAT(two->inputs()[0].tensor.data<float>(), ElementsAre(0, 1, 1, 2, 4, 5, 5, 6));
  EXPECT_THAT(two->targets()[0].tensor.data<float>(), ElementsAre(2, 3, 6, 7));
}

TEST(Windows, RefuseWhatDoesNotFit) {
  EXPECT_THAT(Message(RowWindows(Counting({3, 2}), 4).status()),
              HasSubstr("a window reaches over 4 rows, and there are 3"));
  EXPECT_THAT(Message(RowWindows(Counting({3, 2}), 0).status()), HasSubstr("at least 1"));
  EXPECT_THAT(Message(RowWindows(Counting({3, 2}), 1, 0).status()), HasSubstr("at least 1"));
  EXPECT_THAT(Message(RowWindows(Counting({}), 1).status()), HasSubstr("an axis of rows"));
  EXPECT_THAT(Message(TimeWindows(Counting({3, 2}), {.length = 3}).status()),
              HasSubstr("reaches over 4 rows, and there are 3"));
  EXPECT_THAT(Message(TimeWindows(Counting({3, 2}), {.length = INT64_MAX}).status()),
              HasSubstr("longer than any series"));
  EXPECT_THAT(Message(TimeWindows(Counting({3}), {}).status()), HasSubstr("[T, features]"));
}

const std::vector<double> kLabels = {0, 1, 0, 0, 0, 1, 0, 0, 0, 0};

TEST(Balance, WeighsClassesAlike) {
  const auto weights = ClassWeights(kLabels);
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_THAT(*weights, ElementsAre(std::pair(0.0, 10.0 / 16), std::pair(1.0, 2.5)));
  const auto samples = SampleWeights(kLabels);
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_THAT(samples->shape(), ElementsAre(10));
  const auto w = samples->data<float>();
  EXPECT_NEAR(std::accumulate(w.begin(), w.end(), 0.0), 10, 1e-6);
  EXPECT_EQ(w[1], 2.5F);
  const std::vector<double> missing = {0, std::nan("")};
  EXPECT_THAT(Message(ClassWeights(missing).status()), HasSubstr("row 1 has no label"));
}

TEST(Balance, SamplesClassesAlike) {
  const auto over = Oversample(kLabels, 1);
  ASSERT_TRUE(over.ok()) << over.status();
  ASSERT_THAT(*over, SizeIs(16));
  std::vector<int> times(10);
  for (const int64_t row : *over) ++times[static_cast<size_t>(row)];
  EXPECT_THAT(times, ElementsAre(1, 4, 1, 1, 1, 4, 1, 1, 1, 1));
  EXPECT_EQ(*Oversample(kLabels, 1), *over);
  EXPECT_NE(*Oversample(kLabels, 2), *over);
  const auto under = Undersample(kLabels, 1);
  ASSERT_TRUE(under.ok()) << under.status();
  ASSERT_THAT(*under, SizeIs(4));
  EXPECT_EQ(std::ranges::count(*under, 1), 1);
  EXPECT_EQ(std::ranges::count(*under, 5), 1);
}

TEST(Split, WithoutLabelsSharesOutAllRows) {
  const auto split = RandomSplit(10, 0.25, 3);
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_THAT(split->test, SizeIs(3));
  std::vector<int64_t> all = split->train;
  all.insert(all.end(), split->test.begin(), split->test.end());
  EXPECT_THAT(all, UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  const auto folds = RandomFolds(10, 3, 3);
  ASSERT_TRUE(folds.ok()) << folds.status();
  std::vector<int64_t> tested;
  for (const Split& fold : *folds) {
    EXPECT_EQ(fold.train.size() + fold.test.size(), 10U);
    EXPECT_GE(fold.test.size(), 3U);
    tested.insert(tested.end(), fold.test.begin(), fold.test.end());
  }
  EXPECT_THAT(tested, UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_FALSE(RandomFolds(10, 11, 3).ok());
  EXPECT_FALSE(RandomSplit(10, 1, 3).ok());
}

}  // namespace
}  // namespace gradus::data
