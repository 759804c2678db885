#include "ir/loop/lowerer.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/ops/composite.h"
#include "ir/ops/contraction.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/indexing.h"
#include "ir/ops/leaf.h"
#include "ir/ops/movement.h"
#include "ir/ops/reduction.h"

namespace gradus::loop {
namespace {

using ir::Function;
using ir::Value;

const ir::Dim kB(ir::Symbol("B"));

class LowererTest : public testing::Test {
 protected:
  Value Arg(const std::string& name, ir::Shape shape) {
    return f_.AddArgument(name, {DType::kF32, std::move(shape)});
  }
  Value Product(int64_t columns) {
    const Value x = Arg("x", {kB, 8});
    const Value w = Arg("w", {8, columns});
    return matmul(x, w);
  }
  std::string Lowered() {
    kernel_ = Lower(f_).value();
    return Print(*kernel_);
  }
  Function f_{"k", ir::FunctionKind::kKernel};
  std::unique_ptr<Kernel> kernel_;
};

TEST_F(LowererTest, ResultsOfOneShapeShareLoopsAndSums) {
  const Value z = Product(4);
  f_.AddResult(z, "z");
  f_.AddResult(ir::relu(z), "y");
  EXPECT_EQ(Lowered(), R"(loops @k(%x, %w, out %z, out %y) {
  %sum = sum k in 0..8 of %x[i, k] * %w[k, j]
  store %y[i, j] = select(%sum <= 0, 0, %sum)  for i in 0..B, j in 0..4
  store %z[i, j] = %sum  for i in 0..B, j in 0..4
}
)");
  ASSERT_EQ(kernel_->stores.size(), 2U);
  EXPECT_EQ(kernel_->stores[0].variables, kernel_->stores[1].variables);
  EXPECT_EQ(kernel_->stores[1].value, kernel_->stores[0].value->operands[2]);
}

TEST_F(LowererTest, WhatIsStoredAndReadElsewhereIsLoaded) {
  const Value z = Product(4);
  f_.AddResult(reduce_sum(z, {0}), "column");
  f_.AddResult(z, "z");
  EXPECT_EQ(Lowered(), R"(loops @k(%x, %w, out %column, out %z) {
  %sum = sum k in 0..8 of %x[i, k] * %w[k, j]
  store %z[i, j] = %sum  for i in 0..B, j in 0..4
  %sum_1 = sum r in 0..B of %z[r, i_1]
  store %column[i_1] = %sum_1  for i_1 in 0..4
}
)");
}

TEST_F(LowererTest, WhatWaitsForAStoreSharesNoSumWithIt) {
  const Value z = Product(4);
  f_.AddResult(z, "z");
  f_.AddResult(z - reduce_max(z, {1}, true), "shifted");
  EXPECT_EQ(Lowered(), R"(loops @k(%x, %w, out %z, out %shifted) {
  %sum = sum k in 0..8 of %x[i, k] * %w[k, j]
  store %z[i, j] = %sum  for i in 0..B, j in 0..4
  %maximum = maximum r in 0..4 of %z[i, r]
  store %shifted[i, j] = %z[i, j] - %maximum  for i in 0..B, j in 0..4
}
)");
}

TEST_F(LowererTest, WhatIsStoredAlongOtherLoopsIsReadAtZeroThere) {
  const Value v = Arg("v", {2});
  const Value largest = reduce_max(v, {0}, true);
  const Value square = reshape(largest, {1, 1});
  f_.AddResult(square, "largest");
  f_.AddResult(v * largest + reshape(square, {1}), "y");
  const std::string text = Lowered();
  ASSERT_EQ(kernel_->stores.size(), 2U);
  const Store& y = kernel_->stores[1];
  ASSERT_EQ(y.variables.size(), 1U);
  ASSERT_EQ(y.value->free.size(), 1U) << text;
  EXPECT_EQ(y.value->free[0], y.variables[0]);
  EXPECT_THAT(text, testing::HasSubstr("%largest[0, 0]"));
}

TEST_F(LowererTest, TheSameSumAtAnotherIndexHasTheSameVariable) {
  const Value z = Product(8);
  const Value left = slice(z, {{}, {.end = 4}}), right = slice(z, {{}, {.begin = 4}});
  f_.AddResult(left * right, "y");
  EXPECT_EQ(Lowered(), R"(loops @k(%x, %w, out %y) {
  %sum = sum k in 0..8 of %x[i, k] * %w[k, j]
  %sum_1 = sum k in 0..8 of %x[i, k] * %w[k, j + 4]
  store %y[i, j] = %sum * %sum_1  for i in 0..B, j in 0..4
}
)");
}

TEST_F(LowererTest, AnUpdateIsStoredBeforeTheStatesThatItReads) {
  const Value w = Arg("w", {4}), m = Arg("m", {4}), g = Arg("g", {4});
  const Value next = m * 0.9 + g;
  f_.AddResult(w - next, "w_next");
  f_.AddResult(next, "m_next");
  Lowered();
  EXPECT_TRUE(InPlaceSafe(*kernel_, 0, 0));
  EXPECT_TRUE(InPlaceSafe(*kernel_, 1, 1));
  EXPECT_EQ(kernel_->buffers[static_cast<size_t>(kernel_->stores[0].buffer)].name, "w_next");
}

TEST_F(LowererTest, ArgumentsScalarsAndConstantsAsResults) {
  const Value x = Arg("x", {4});
  f_.AddResult(x);
  f_.AddResult(reduce_sum(x), "total");
  f_.AddResult(ir::constant(f_, {DType::kF32, {2}}, 3));
  EXPECT_EQ(Lowered(), R"(loops @k(%x, out %o, out %total, out %o_1) {
  store %o_1[i_1] = 3  for i_1 in 0..2
  %sum = sum r in 0..4 of %x[r]
  store %total[] = %sum
  store %o[i] = %x[i]  for i in 0..4
}
)");
}

TEST_F(LowererTest, WhatIsAddedUpIsStoredBeforeAnythingReadsIt) {
  const Value x = Arg("x", {6});
  const Value sums = cumsum(ir::exp(x), 0, /*reverse=*/true);
  f_.AddResult(sums * sums, "squares");
  f_.AddResult(sums, "sums");
  const std::string text = Lowered();
  EXPECT_THAT(text, testing::HasSubstr("store %sums[-i + 5] = running sum over i of"));
  EXPECT_THAT(text, testing::EndsWith("store %squares[i_1] = %sums[i_1] * %sums[i_1]  for i_1 in "
                                      "0..6\n}\n"));
}

TEST_F(LowererTest, UpdatesThatComeInWhereTheyGoAreNotAddedInPlace) {
  const Value ids = f_.AddArgument("ids", {DType::kI64, {4}});
  const Value x = Arg("x", {4});
  f_.AddResult(scatter_add(ids, x, 0, {4}), "y");
  EXPECT_EQ(Lowered(), R"(loops @k(%ids, %x, out %y) {
  store %y[i] = 0  for i in 0..4
  store %y[(%ids[i_1])] += %x[i_1]  for i_1 in 0..4
}
)");
  EXPECT_FALSE(InPlaceSafe(*kernel_, 1, 0));
}

TEST_F(LowererTest, ARunningSumMayReplaceWhatItSums) {
  const Value x = Arg("x", {4}), y = Arg("y", {4});
  f_.AddResult(cumsum(x, 0), "with_itself");
  f_.AddResult(cumsum(y, 0, false, /*exclusive=*/true), "without");
  Lowered();
  EXPECT_TRUE(InPlaceSafe(*kernel_, 0, 0));
  EXPECT_FALSE(InPlaceSafe(*kernel_, 1, 1));
}

TEST_F(LowererTest, WhatIsAddedUpAndNoResultIsScratch) {
  const Value sums = cumsum(Arg("x", {kB, 4}), 1);
  f_.AddResult(sums * sums, "y");
  EXPECT_EQ(Lowered(), R"(loops @k(%x, out %y) {
  scratch %scratch2: f32[B, 4]
  store %scratch2[i, j] = running sum over j of %x[i, j]  for i in 0..B, j in 0..4
  store %y[i_1, j_1] = %scratch2[i_1, j_1] * %scratch2[i_1, j_1]  for i_1 in 0..B, j_1 in 0..4
}
)");
}

}  // namespace
}  // namespace gradus::loop
