#include "gtest/gtest.h"
#include "tools/bench/operations.h"
#include "tools/bench/subject.h"

namespace gradus::tools {
namespace {

double OfOperation(const std::string& name, bool gradients = false) {
  const Subject s = OperationSubject(name, gradients).value();
  return CountOperations(*s.module, s.function, s.sizes).value();
}

double OfNetwork(std::string_view name, bool training, int64_t batch) {
  const Subject s = NetworkSubject(*FindNetwork(name), training, batch).value();
  return CountOperations(*s.module, s.function, s.sizes).value();
}

TEST(WorkTest, AProductIsTwoOperationsForEachOfItsSums) {
  for (const char* name : {"matmul:3x5x7", "matmul:3x5x7:ta", "matmul:3x5x7:tb"}) {
    EXPECT_EQ(OfOperation(name), 2 * 3 * 5 * 7) << name;
    EXPECT_EQ(OfOperation(name, true), 2 * 2 * 3 * 5 * 7) << name;
  }
}

TEST(WorkTest, PaddingCounts) {
  EXPECT_EQ(OfOperation("conv:2x10x3x4x5"), 2 * 2 * 10 * 3 * 4 * 5);
  EXPECT_EQ(OfOperation("conv:2x10x3x4x5:valid"), 2 * 2 * 6 * 3 * 4 * 5);
  EXPECT_EQ(OfOperation("conv:2x9x8x3x4x3"), 2 * 2 * 9 * 8 * 3 * 4 * 9);
}

// The zeros that stand between the elements of a dilated gradient are no work: all three products
// of a convolution are the same number of operations, but at the edges.
TEST(WorkTest, DilationDoesNotCount) {
  const double forward = OfOperation("conv:2x8x8x3x4x2:s2");
  EXPECT_EQ(forward, 2 * 2 * 4 * 4 * 3 * 4 * 4);
  EXPECT_EQ(OfOperation("conv:2x8x8x3x4x2:s2", true), 2 * forward);
  // Windows of 3 at strides of 2: a remainder is 0 for every other position and offset.
  EXPECT_EQ(OfOperation("conv:1x8x1x1x3:s2", true), 2 * 4 * 3 + 2 * 8 * 3 / 2);
}

TEST(WorkTest, WhatIsNoProductCountsNothing) {
  EXPECT_EQ(OfOperation("softmax:4x8"), 0);
  EXPECT_EQ(OfOperation("layernorm:4x8", true), 0);
  EXPECT_EQ(OfOperation("adam:100"), 0);
}

TEST(WorkTest, Networks) {
  const double layers = 2.0 * (16 * 32 + 32 * 32 + 32);
  EXPECT_EQ(OfNetwork("tiny", false, 7), 7 * layers);
  // A step has two more products a layer, but for the input's gradient.
  EXPECT_EQ(OfNetwork("tiny", true, 7), 7 * (3 * layers - 2 * 16 * 32));
  EXPECT_EQ(OfNetwork("mlp", false, 1), 2 * (784 * 512 + 512 * 512 + 512 * 10));
}

TEST(WorkTest, StepsOfLoopsCountAsOftenAsTheyRun) {
  const double head = 2 * (128 * 64 + 64);
  EXPECT_EQ(OfNetwork("rnn", false, 3), 3 * (12 * 2 * (34 + 128) * 128 + head));
  EXPECT_EQ(OfNetwork("lstm100", false, 2), 2 * (100 * 2 * (34 + 128) * 4 * 128 + head));
}

}  // namespace
}  // namespace gradus::tools
