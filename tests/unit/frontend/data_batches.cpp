#include "frontend/data/batches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace gradus::data {
namespace {

using runtime::Tensor;
using testing::ElementsAre;
using testing::HasSubstr;

// n samples: input "x" [n, 2] holds (10 i, 10 i + 1), target "y" [n] holds i.
Dataset Numbered(int64_t n) {
  std::vector<float> x;
  std::vector<int32_t> y;
  for (int32_t i = 0; i < n; ++i) {
    x.push_back(static_cast<float>(10 * i));
    x.push_back(static_cast<float>(10 * i + 1));
    y.push_back(i);
  }
  std::vector<NamedTensor> inputs, targets;
  inputs.push_back({"x", Tensor::FromVector({n, 2}, x).value()});
  targets.push_back({"y", Tensor::FromVector({n}, y).value()});
  return Dataset::Create(std::move(inputs), std::move(targets)).value();
}

template <class T>
std::vector<T> Values(const runtime::TensorView& view) {
  const auto count =
      std::accumulate(view.shape.begin(), view.shape.end(), int64_t{1}, std::multiplies<>());
  const T* data = static_cast<const T*>(view.data);
  return {data, data + count};
}

// Walks one epoch, checks that x and y belong together, and returns y in order.
std::vector<int32_t> Epoch(Batches& batches, int64_t epoch, std::vector<int64_t>* sizes = nullptr) {
  std::vector<int32_t> seen;
  batches.StartEpoch(epoch);
  while (batches.Next()) {
    if (sizes != nullptr) sizes->push_back(batches.size());
    EXPECT_THAT(batches.inputs()[0].shape, ElementsAre(batches.size(), 2));
    EXPECT_THAT(batches.targets()[0].shape, ElementsAre(batches.size()));
    const auto x = Values<float>(batches.inputs()[0]);
    const auto y = Values<int32_t>(batches.targets()[0]);
    for (size_t i = 0; i < y.size(); ++i) {
      EXPECT_EQ(x[2 * i], static_cast<float>(10 * y[i]));
      EXPECT_EQ(x[2 * i + 1], static_cast<float>(10 * y[i] + 1));
      EXPECT_EQ(batches.rows()[i], y[i]);
    }
    seen.insert(seen.end(), y.begin(), y.end());
  }
  EXPECT_FALSE(batches.Next());
  return seen;
}

TEST(Batches, InOrderWithASmallerLastOne) {
  const Dataset dataset = Numbered(10);
  Batches batches = Batches::Create(dataset, {.batch_size = 4, .shuffle = false}).value();
  std::vector<int64_t> sizes;
  EXPECT_THAT(Epoch(batches, 0, &sizes), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(sizes, ElementsAre(4, 4, 2));
  EXPECT_EQ(batches.batches_per_epoch(), 3);
  EXPECT_THAT(Epoch(batches, 1), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
}

TEST(Batches, EverySizeCoversEverySampleOnce) {
  const Dataset dataset = Numbered(7);
  for (int64_t size : {1, 2, 3, 6, 7, 8, 1000}) {
    Batches batches = Batches::Create(dataset, {.batch_size = size, .seed = 4}).value();
    std::vector<int64_t> sizes;
    const std::vector<int32_t> seen = Epoch(batches, 3, &sizes);
    EXPECT_EQ(static_cast<int64_t>(sizes.size()), batches.batches_per_epoch());
    EXPECT_EQ(std::set<int32_t>(seen.begin(), seen.end()).size(), 7u);
    EXPECT_EQ(seen.size(), 7u);
  }
}

TEST(Batches, OrderFollowsFromSeedAndEpoch) {
  const Dataset dataset = Numbered(50);
  Batches a = Batches::Create(dataset, {.batch_size = 8, .seed = 1}).value();
  Batches b = Batches::Create(dataset, {.batch_size = 50, .seed = 1}).value();
  Batches c = Batches::Create(dataset, {.batch_size = 8, .seed = 2}).value();
  const auto first = Epoch(a, 0);
  const auto second = Epoch(a, 1);
  EXPECT_NE(first, second);
  EXPECT_NE(first, Epoch(c, 0));
  EXPECT_EQ(second, Epoch(b, 1));  // whatever the batch size, and without epoch 0 before
  EXPECT_EQ(first, Epoch(a, 0));
}

TEST(Batches, MemoryIsAllocatedOnce) {
  const Dataset dataset = Numbered(10);
  Batches batches = Batches::Create(dataset, {.batch_size = 4}).value();
  Batches moved = std::move(batches);
  std::set<const void*> places;
  for (int64_t epoch : {0, 1, 2}) {
    moved.StartEpoch(epoch);
    while (moved.Next()) places.insert(moved.inputs()[0].data);
  }
  EXPECT_EQ(places.size(), 1u);
  EXPECT_THAT(moved.inputs()[0].shape, ElementsAre(2, 2));
}

TEST(Batches, NextBeforeStartEpochIsEpochZero) {
  const Dataset dataset = Numbered(9);
  Batches batches = Batches::Create(dataset, {.batch_size = 9, .seed = 3}).value();
  ASSERT_TRUE(batches.Next());
  const auto fresh = Values<int32_t>(batches.targets()[0]);
  EXPECT_EQ(Epoch(batches, 0), fresh);
}

TEST(Batches, Errors) {
  const Dataset dataset = Numbered(3);
  EXPECT_FALSE(Batches::Create(dataset, {.batch_size = 0}).ok());
  EXPECT_FALSE(Batches::Create(dataset, {.batch_size = -1}).ok());
  EXPECT_FALSE(Batches::Create(Dataset(), {}).ok());
}

TEST(Dataset, Take) {
  const Dataset part = Numbered(5).Take(std::vector<int64_t>{4, 1}).value();
  EXPECT_EQ(part.samples(), 2);
  EXPECT_THAT(part.inputs()[0].tensor.data<float>(), ElementsAre(40, 41, 10, 11));
  EXPECT_THAT(part.targets()[0].tensor.data<int32_t>(), ElementsAre(4, 1));
  EXPECT_FALSE(Numbered(5).Take(std::vector<int64_t>{5}).ok());
  EXPECT_FALSE(Numbered(5).Take({}).ok());
}

TEST(Dataset, Errors) {
  using Shapes = std::vector<std::pair<std::string, std::vector<int64_t>>>;
  const auto message = [](const Shapes& inputs, const Shapes& targets) {
    std::vector<NamedTensor> parts[2];
    for (const auto& [name, shape] : inputs) {
      parts[0].push_back({name, Tensor::Zeros(runtime::DType::kF32, shape).value()});
    }
    for (const auto& [name, shape] : targets) {
      parts[1].push_back({name, Tensor::Zeros(runtime::DType::kF32, shape).value()});
    }
    return std::string(
        Dataset::Create(std::move(parts[0]), std::move(parts[1])).status().message());
  };
  EXPECT_THAT(message({}, {{"y", {3}}}), HasSubstr("at least one input"));
  EXPECT_THAT(message({{"x", {3, 2}}}, {{"y", {4}}}),
              HasSubstr("\"y\" has 4 samples, and \"x\" has 3"));
  EXPECT_THAT(message({{"x", {}}}, {}), HasSubstr("\"x\" has shape []"));
  EXPECT_THAT(message({{"x", {0, 2}}}, {}), HasSubstr("no samples"));
  EXPECT_THAT(message({{"x", {3}}}, {{"x", {3}}}), HasSubstr("two arrays are named \"x\""));
  EXPECT_EQ(message({{"x", {3, 0}}}, {}), "");  // samples of no elements are odd but fine
}

TEST(Batches, ASecondThreadGathersTheSame) {
  const Dataset dataset = Numbered(23);
  Batches plain = Batches::Create(dataset, {.batch_size = 4, .seed = 3}).value();
  Batches ahead = Batches::Create(dataset, {.batch_size = 4, .seed = 3, .prefetch = true}).value();
  for (int64_t epoch = 0; epoch < 50; ++epoch) {
    ASSERT_EQ(Epoch(ahead, epoch), Epoch(plain, epoch)) << epoch;
  }
  // Left in the middle, and begun in the middle.
  for (int64_t skipped = 0; skipped <= 7; ++skipped) {
    ahead.StartEpoch(1);
    ASSERT_TRUE(ahead.Next());
    const std::vector<int32_t> first = Values<int32_t>(ahead.targets()[0]);
    ahead.StartEpoch(2, skipped);
    plain.StartEpoch(2, skipped);
    while (plain.Next()) {
      ASSERT_TRUE(ahead.Next());
      ASSERT_EQ(Values<int32_t>(ahead.targets()[0]), Values<int32_t>(plain.targets()[0]));
      ASSERT_TRUE(std::ranges::equal(ahead.rows(), plain.rows()));
    }
    ASSERT_FALSE(ahead.Next());
  }
  // Moved while it gathers.
  Batches made = Batches::Create(dataset, {.batch_size = 4, .prefetch = true}).value();
  made.StartEpoch(0);
  Batches moved = std::move(made);
  EXPECT_EQ(Epoch(moved, 3).size(), 23U);
}

}  // namespace
}  // namespace gradus::data
