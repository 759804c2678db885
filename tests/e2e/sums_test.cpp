// Sums as native code: their accuracy does not depend on how many elements there are, and what is
// not finite stays so.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "frontend/gradus.h"

namespace gradus {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> Compute(Tensor (*of)(Tensor), const Shape& shape, const std::vector<float>& x) {
  Graph graph("sums");
  graph.Output("y", of(graph.Input("x", shape)));
  auto compiled = Compile(graph);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  std::vector<int64_t> sizes;
  for (const Dim& d : shape)
    sizes.push_back(d.is_symbol() ? static_cast<int64_t>(x.size()) : d.size());
  std::vector<runtime::Tensor> arguments;
  arguments.push_back(runtime::Tensor::FromVector<float>(sizes, x).value());
  auto results = compiled->Run(std::move(arguments));
  EXPECT_TRUE(results.ok()) << results.status();
  const auto values = (*results)[0].data<float>();
  return {values.begin(), values.end()};
}

Tensor Total(Tensor x) { return reduce_sum(x); }
Tensor Columns(Tensor x) { return reduce_sum(x, {0}); }

// Numbers of both signs and several sizes; their sum is far from zero.
std::vector<float> Mixed(int64_t n) {
  std::vector<float> x;
  uint32_t state = 1;
  for (int64_t i = 0; i < n; ++i) {
    state = state * 1664525U + 1013904223U;
    x.push_back(
        std::ldexp(static_cast<float>(state >> 8) - 0x1p22F, -20 - static_cast<int>(i % 7)));
  }
  return x;
}

// The error of a sum in units of half a rounding of the sum of the magnitudes.
double Roundings(float got, const std::vector<float>& x, size_t first, size_t step) {
  double want = 0, magnitude = 0;
  for (size_t i = first; i < x.size(); i += step) {
    want += x[i];
    magnitude += std::fabs(x[i]);
  }
  return std::fabs(got - want) / (magnitude * 0x1p-24);
}

// Eight vectors pairwise (3), compensated (2), at most 16 lanes pairwise (4).
constexpr double kLongSumRoundings = 9;

TEST(SumsTest, LongSumIsRightWhateverItsLength) {
  for (const int64_t n : {4097, 100'003, 10'000'000}) {
    const std::vector<float> tenths(static_cast<size_t>(n), 0.1F);
    EXPECT_LE(Roundings(Compute(Total, {n}, tenths)[0], tenths, 0, 1), 4) << n;
    const std::vector<float> mixed = Mixed(n);
    EXPECT_LE(Roundings(Compute(Total, {n}, mixed)[0], mixed, 0, 1), kLongSumRoundings) << n;
    EXPECT_LE(Roundings(Compute(Total, {kBatch}, mixed)[0], mixed, 0, 1), kLongSumRoundings) << n;
  }
}

// At most 64 additions to an accumulator, then pairwise.
TEST(SumsTest, ShortSum) {
  for (const int64_t n : {1, 15, 100, 1000, 4096}) {
    const std::vector<float> mixed = Mixed(n);
    EXPECT_LE(Roundings(Compute(Total, {n}, mixed)[0], mixed, 0, 1), 70) << n;
  }
}

TEST(SumsTest, ColumnSumIsRightWhateverItsLength) {
  for (const int64_t rows : {64, 1003, 100'000}) {
    constexpr int64_t kColumns = 37;
    const std::vector<float> mixed = Mixed(rows * kColumns);
    const std::vector<float> sums = Compute(Columns, {rows, kColumns}, mixed);
    for (size_t c = 0; c < kColumns; ++c) {
      EXPECT_LE(Roundings(sums[c], mixed, c, kColumns), 5) << rows << " rows, column " << c;
    }
  }
}

// Of each column of each of 3 rows, the squared distances from what a first sum of columns, in the
// same loops, gave. The factors, one a column, keep the loops over rows and columns apart.
Tensor SquaresAboutSums(Tensor x) {
  return reduce_sum(square(x - reduce_sum(x, {0}) * reduce_max(x, {0, 1})), {0});
}

TEST(SumsTest, ASumOfColumnsOfWhatAnotherGave) {
  constexpr size_t kRow = 3 * 256, kRows = 70;
  const std::vector<float> x = Mixed(kRow * kRows);
  const std::vector<float> got = Compute(SquaresAboutSums, {kRows, 3, 256}, x);
  ASSERT_EQ(got.size(), kRow);
  for (size_t c = 0; c < kRow; ++c) {
    double sum = 0, factor = -kInfinity, want = 0;
    for (size_t r = 0; r < kRows; ++r) sum += x[r * kRow + c];
    for (size_t i = c % 256; i < x.size(); i += 256) factor = std::max<double>(factor, x[i]);
    const double about = sum * factor;
    for (size_t r = 0; r < kRows; ++r) want += std::pow(x[r * kRow + c] - about, 2);
    EXPECT_NEAR(got[c], want, 1e-4 * want) << c;
  }
}

TEST(SumsTest, WhatIsNotFiniteStays) {
  constexpr int64_t kCount = 20'000;
  for (const size_t place : {size_t{0}, size_t{777}, size_t{19'999}}) {
    std::vector<float> x(kCount, 1.0F);
    x[place] = kInfinity;
    EXPECT_EQ(Compute(Total, {kCount}, x)[0], kInfinity);
    EXPECT_EQ(Compute(Columns, {1000, 20}, x)[place % 20], kInfinity);
    EXPECT_EQ(Compute(Columns, {1000, 20}, x)[(place + 1) % 20], 1000);
    x[kCount / 2] = -kInfinity;
    EXPECT_TRUE(std::isnan(Compute(Total, {kCount}, x)[0]));
    x[kCount / 2] = 1;
    x[place] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(Compute(Total, {kCount}, x)[0]));
    EXPECT_TRUE(std::isnan(Compute(Columns, {1000, 20}, x)[place % 20]));
  }
  const std::vector<float> huge(kCount, std::numeric_limits<float>::max());
  EXPECT_EQ(Compute(Total, {kCount}, huge)[0], kInfinity);
}

}  // namespace
}  // namespace gradus
