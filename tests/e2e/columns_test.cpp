// Sums of columns beside a nest along the same rows, as in the gradients of layer norm and of what
// is added before a softmax: in blocks of rows, of which the last has fewer, the same bits on
// several threads, and not finite where a row is not.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "frontend/gradus.h"
#include "runtime/thread_pool.h"

namespace gradus {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> Numbers(int64_t n, uint32_t state) {
  std::vector<float> x;
  for (int64_t i = 0; i < n; ++i) {
    state = state * 1664525U + 1013904223U;
    x.push_back(static_cast<float>(state >> 8) * 0x1p-22F - 1);
  }
  return x;
}

// d is stored, read by the sums, and a result with `d_is_result`; e is for the sums alone.
void Build(Graph& g, const Shape& shape, bool d_is_result) {
  const Tensor x = g.Input("x", shape), y = g.Input("y", shape);
  const Tensor d = x - reduce_mean(x, {-1}, /*keep_dims=*/true);
  const Tensor e = d * (y - reduce_max(y, {-1}, /*keep_dims=*/true));
  g.Output("f", d / (reduce_sum(d * d, {-1}, /*keep_dims=*/true) + 1));
  if (d_is_result) g.Output("d", d);
  g.Output("sum_e", reduce_sum(e, {0}));
  g.Output("sum_y", reduce_sum(y, {0}) * 2);
}

using Results = std::vector<std::vector<float>>;

Results Compute(const runtime::Executable& executable, int64_t rows, int64_t columns,
                const std::vector<float>& x, const std::vector<float>& y,
                const gradus_threads* threads) {
  std::vector<runtime::Tensor> arguments;
  for (const auto* values : {&x, &y}) {
    arguments.push_back(runtime::Tensor::FromVector<float>({rows, columns}, *values).value());
  }
  auto results = executable.Run(std::move(arguments), threads);
  EXPECT_TRUE(results.ok()) << results.status();
  Results found;
  for (const runtime::Tensor& t : *results) {
    const auto values = t.data<float>();
    found.emplace_back(values.begin(), values.end());
  }
  return found;
}

// For a machine on which little work is worth sharing, and little memory is much.
absl::StatusOr<runtime::Executable> CompileShared(Graph& graph) {
  CompileOptions options;
  options.target = codegen::NamedTarget("host").value();
  options.target.sharing.least_work = options.target.sharing.part_work = 1;
  options.target.l2_bytes = 1 << 14;
  return Compile(graph, options);
}

void ExpectRight(const Shape& shape, int64_t rows, bool d_is_result) {
  const int64_t columns = shape[1].size();
  SCOPED_TRACE(testing::Message() << rows << "x" << columns << (d_is_result ? " and d" : ""));
  Graph graph("columns");
  Build(graph, shape, d_is_result);
  const auto executable = CompileShared(graph);
  ASSERT_TRUE(executable.ok()) << executable.status();
  const std::vector<float> x = Numbers(rows * columns, 1), y = Numbers(rows * columns, 2);
  const Results got = Compute(*executable, rows, columns, x, y, nullptr);
  const auto pool = runtime::ThreadPool::Create(3).value();
  EXPECT_EQ(got, Compute(*executable, rows, columns, x, y, pool->threads()));

  const auto n = static_cast<size_t>(columns);
  std::vector<double> sum_e(n), sum_y(n), of_e(n), of_y(n);
  for (size_t r = 0; r < static_cast<size_t>(rows); ++r) {
    const float *a = x.data() + r * n, *b = y.data() + r * n;
    double mean = 0, squares = 0, most = -kInfinity;
    for (size_t i = 0; i < n; ++i) mean += a[i] / static_cast<double>(n);
    for (size_t i = 0; i < n; ++i) squares += (a[i] - mean) * (a[i] - mean);
    for (size_t i = 0; i < n; ++i) most = std::fmax(most, b[i]);
    for (size_t i = 0; i < n; ++i) {
      const double d = a[i] - mean, e = d * (b[i] - most);
      sum_e[i] += e;
      sum_y[i] += b[i];
      of_e[i] += (std::fabs(a[i]) + std::fabs(mean)) * std::fabs(b[i] - most);
      of_y[i] += std::fabs(b[i]);
      ASSERT_NEAR(got[0][r * n + i], d / (squares + 1), 1e-6) << r << ", " << i;
      if (d_is_result) {
        ASSERT_NEAR(got[1][r * n + i], d, 1e-6) << r << ", " << i;
      }
    }
  }
  // Blocks of rows, then the sums of the blocks, each with five roundings at most. The terms of the
  // first sum have errors of their own, of the mean and of two operations.
  const size_t sums = d_is_result ? 2 : 1;
  for (size_t i = 0; i < n; ++i) {
    EXPECT_NEAR(got[sums + 1][i], 2 * sum_y[i], 2 * 10 * 0x1p-24 * of_y[i]) << i;
    EXPECT_NEAR(got[sums][i], sum_e[i], 20 * 0x1p-24 * of_e[i]) << i;
  }
}

TEST(ColumnsTest, SumsBesideRows) {
  for (const int64_t columns : {20, 130, 256, 1100}) {
    for (const bool d_is_result : {false, true}) {
      for (const int64_t rows : {1, 7, 8, 16, 127, 128, 129, 700}) {
        ExpectRight({kBatch, columns}, rows, d_is_result);
      }
      ExpectRight({1003, columns}, 1003, d_is_result);
    }
  }
}

// Nothing of the turns in which staggered rows have not begun gets into a sum.
TEST(ColumnsTest, WhatIsNotFiniteStaysInItsColumn) {
  constexpr int64_t kRows = 300, kColumns = 256;
  Graph graph("columns");
  const Tensor x = graph.Input("x", {kBatch, kColumns}), y = graph.Input("y", {kBatch, kColumns});
  graph.Output("shifted", x - reduce_sum(x * x, {-1}, /*keep_dims=*/true));
  graph.Output("sum", reduce_sum(x, {0}));
  graph.Output("of_products", reduce_sum(x * y, {0}));
  const auto executable = CompileShared(graph);
  ASSERT_TRUE(executable.ok()) << executable.status();
  for (const size_t row : {size_t{0}, size_t{130}, size_t{299}}) {
    std::vector<float> ones(kRows * kColumns, 1);
    const std::vector<float> factors = ones;
    ones[row * kColumns + 77] = kInfinity;
    const Results got = Compute(*executable, kRows, kColumns, ones, factors, nullptr);
    for (size_t i = 0; i < kColumns; ++i) {
      EXPECT_EQ(got[1][i], i == 77 ? kInfinity : kRows) << row << ", " << i;
      EXPECT_EQ(got[2][i], i == 77 ? kInfinity : kRows) << row << ", " << i;
    }
  }
}

}  // namespace
}  // namespace gradus
