// Rows as native code: several of them are gone over together, and a row's numbers do not depend on
// which others are beside it, nor on their being finite.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "frontend/gradus.h"

namespace gradus {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// What is computed for each row, one number a row or one an element.
Tensor Softmax(Tensor x) { return softmax(x); }
Tensor LogSoftmax(Tensor x) { return log_softmax(x); }
Tensor Standardize(Tensor x) { return standardize(x, {-1}, 1e-3); }
Tensor Variance(Tensor x) { return variance(x, {-1}); }
Tensor Largest(Tensor x) { return reduce_max(x, {-1}); }
Tensor Smallest(Tensor x) { return reduce_min(abs(x) - 1, {-1}); }
Tensor Shifted(Tensor x) { return x - reduce_max(x, {-1}, /*keep_dims=*/true); }
using Function = Tensor (*)(Tensor);
constexpr Function kFunctions[] = {Softmax, LogSoftmax, Standardize, Variance,
                                   Largest, Smallest,   Shifted};

class Compiled {
 public:
  Compiled(Function of, int64_t columns) : columns_(columns) {
    Graph graph("rows");
    graph.Output("y", of(graph.Input("x", {kBatch, columns})));
    executable_ = Compile(graph);
    EXPECT_TRUE(executable_.ok()) << executable_.status();
  }
  std::vector<float> operator()(const std::vector<float>& x) {
    const auto rows = static_cast<int64_t>(x.size()) / columns_;
    std::vector<runtime::Tensor> arguments;
    arguments.push_back(runtime::Tensor::FromVector<float>({rows, columns_}, x).value());
    auto results = executable_->Run(std::move(arguments));
    EXPECT_TRUE(results.ok()) << results.status();
    const auto values = (*results)[0].data<float>();
    return {values.begin(), values.end()};
  }

 private:
  int64_t columns_;
  absl::StatusOr<runtime::Executable> executable_ = absl::UnknownError("");
};

std::vector<float> Numbers(int64_t n) {
  std::vector<float> x;
  uint32_t state = 7;
  for (int64_t i = 0; i < n; ++i) {
    state = state * 1664525U + 1013904223U;
    x.push_back(static_cast<float>(state >> 8) * 0x1p-20F - 8);
  }
  return x;
}

// Equal bits, but that a NaN is a NaN.
bool IsSame(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

TEST(RowsTest, RowDoesNotDependOnItsNeighbours) {
  for (const int64_t columns : {1, 10, 16, 100, 300, 512, 1000, 1500, 5000}) {
    constexpr int64_t kRows = 21;
    std::vector<float> x = Numbers(kRows * columns);
    x[static_cast<size_t>(columns / 2)] = kNan;
    x[static_cast<size_t>(columns * 2)] = kInfinity;
    x[static_cast<size_t>(columns * 5 - 1)] = -kInfinity;
    for (const Function of : kFunctions) {
      Compiled compiled(of, columns);
      const std::vector<float> all = compiled(x);
      const size_t in_row = all.size() / kRows;
      for (size_t row = 0; row < kRows; ++row) {
        const auto first = x.begin() + static_cast<int64_t>(row) * columns;
        const std::vector<float> alone = compiled({first, first + columns});
        for (size_t i = 0; i < in_row; ++i) {
          ASSERT_TRUE(IsSame(all[row * in_row + i], alone[i]))
              << "row " << row << " of " << columns << ", place " << i << ": "
              << all[row * in_row + i] << " and alone " << alone[i];
        }
      }
    }
  }
}

// Passes at staggered rows, the first and last of which have less to do, find numbers of a row and
// of its elements, also where there are few rows and the results take the place of an argument.
TEST(RowsTest, StaggeredRowsHaveNumbersAndElements) {
  constexpr int64_t kColumns = 300;
  Graph graph("rows");
  const Tensor x = graph.Input("x", {kBatch, kColumns});
  const Tensor e = exp(x - reduce_max(x, {-1}, /*keep_dims=*/true));
  const Tensor mean = reduce_mean(e, {-1}, /*keep_dims=*/true);
  graph.Output("centred", e - mean);
  graph.Output("squares", reduce_sum((e - mean) * (e - mean), {-1}));
  graph.Output("ratio", e / (x + 9));
  absl::StatusOr<runtime::Executable> compiled = Compile(graph);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  for (const int64_t rows : {1, 3, 15, 16, 17, 40}) {
    const std::vector<float> numbers = Numbers(rows * kColumns);
    std::vector<runtime::Tensor> arguments;
    arguments.push_back(runtime::Tensor::FromVector<float>({rows, kColumns}, numbers).value());
    auto results = compiled->Run(std::move(arguments));
    ASSERT_TRUE(results.ok()) << results.status();
    const auto centred = (*results)[0].data<float>(), squares = (*results)[1].data<float>(),
               ratio = (*results)[2].data<float>();
    for (int64_t row = 0; row < rows; ++row) {
      const float* in = numbers.data() + row * kColumns;
      const double most = *std::max_element(in, in + kColumns);
      double sum = 0, of_squares = 0;
      for (int64_t i = 0; i < kColumns; ++i) sum += std::exp(in[i] - most);
      for (int64_t i = 0; i < kColumns; ++i) {
        const double want = std::exp(in[i] - most), deviation = want - sum / kColumns;
        const auto at = static_cast<size_t>(row * kColumns + i);
        ASSERT_NEAR(centred[at], deviation, 1e-5) << rows << " rows, row " << row << ", " << i;
        ASSERT_NEAR(ratio[at], want / (in[i] + 9), 1e-5) << rows << " rows, row " << row;
        of_squares += deviation * deviation;
      }
      ASSERT_NEAR(squares[static_cast<size_t>(row)], of_squares, 1e-5 * of_squares + 1e-5);
    }
  }
}

TEST(RowsTest, ExtremesAreExactAndNanWhereThereIsOne) {
  for (const int64_t columns : {1, 10, 16, 33, 64, 100, 1000, 5000}) {
    Compiled largest(Largest, columns), smallest(Smallest, columns);
    for (int64_t rows = 1; rows <= 6; ++rows) {
      std::vector<float> x = Numbers(rows * columns);
      // A NaN at each place in turn: in the first row at the first, in the second at the last, ...
      const int64_t places[] = {0, columns - 1, columns / 2, columns / 3};
      for (int64_t row = 0; row + 1 < rows && row < 4; ++row) {
        x[static_cast<size_t>(row * columns + places[row])] = kNan;
      }
      const std::vector<float> most = largest(x), least = smallest(x);
      for (int64_t row = 0; row < rows; ++row) {
        float want_most = -kInfinity, want_least = kInfinity;
        bool has_nan = false;
        for (int64_t i = 0; i < columns; ++i) {
          const float v = x[static_cast<size_t>(row * columns + i)];
          has_nan |= std::isnan(v);
          want_most = std::fmax(want_most, v);
          want_least = std::fmin(want_least, std::fabs(v) - 1);
        }
        const auto at = static_cast<size_t>(row);
        EXPECT_TRUE(IsSame(most[at], has_nan ? kNan : want_most)) << columns << " row " << row;
        EXPECT_TRUE(IsSame(least[at], has_nan ? kNan : want_least)) << columns << " row " << row;
      }
    }
  }
}

TEST(RowsTest, SoftmaxIsRight) {
  for (const int64_t columns : {10, 16, 257, 1000, 5000}) {
    constexpr int64_t kRows = 5;
    std::vector<float> x = Numbers(kRows * columns);
    x[1] = -kInfinity;  // has no part
    const std::vector<float> y = Compiled(Softmax, columns)(x);
    EXPECT_EQ(y[1], 0);
    for (size_t row = 0; row < kRows; ++row) {
      const size_t first = row * static_cast<size_t>(columns), n = static_cast<size_t>(columns);
      double most = -kInfinity, sum = 0;
      for (size_t i = first; i < first + n; ++i) most = std::fmax(most, x[i]);
      for (size_t i = first; i < first + n; ++i) sum += std::exp(x[i] - most);
      for (size_t i = first; i < first + n; ++i) {
        const double want = std::exp(x[i] - most) / sum;
        ASSERT_NEAR(y[i], want, want * 1e-5 + 1e-30) << columns << " columns, place " << i;
      }
    }
  }
}

// Far below the maximum the exponentials are denormal, then zero.
TEST(RowsTest, ExponentialsOfAllSizes) {
  constexpr int64_t kColumns = 2200;
  std::vector<float> x;
  for (int64_t i = 0; i < kColumns; ++i) x.push_back(static_cast<float>(-i) / 20);
  const std::vector<float> y = Compiled(Softmax, kColumns)(x);
  double sum = 0;
  for (const float v : x) sum += std::exp(static_cast<double>(v));
  for (size_t i = 0; i < x.size(); ++i) {
    const double want = std::exp(static_cast<double>(x[i])) / sum;
    EXPECT_NEAR(y[i], want, want * 1e-6 + 0x1p-148) << i;
  }
}

// Larger than any cache: where the result is aligned, it does not go through them.
TEST(RowsTest, LargeResultIsTheSameWhereverItLies) {
  constexpr int64_t kRows = 4097, kColumns = 2048;
  constexpr size_t kAll = kRows * kColumns;
  Graph graph("rows");
  graph.Output("y", Shifted(graph.Input("x", {kRows, kColumns})));
  const auto executable = Compile(graph);
  ASSERT_TRUE(executable.ok()) << executable.status();
  const auto x = runtime::Tensor::FromVector<float>({kRows, kColumns}, Numbers(kAll)).value();
  auto workspace = runtime::AlignedBuffer::Create(executable->WorkspaceBytes({}).value()).value();
  auto memory = runtime::Tensor::Create(runtime::DType::kF32, {kAll + 16}).value();
  const std::vector<runtime::TensorView> in = {x};
  for (const size_t offset : {0, 1, 8, 16}) {
    float* y = memory.data<float>().data() + offset;
    std::fill_n(y, kAll, kNan);
    const std::vector<runtime::MutableTensorView> out = {{y, runtime::DType::kF32, x.shape()}};
    auto call = executable->Bind(in, out, {workspace.data(), workspace.size()});
    ASSERT_TRUE(call.ok()) << call.status();
    ASSERT_TRUE(call->Run().ok());
    for (size_t row = 0; row < kRows; row += 64) {  // and the last
      const float* const first = x.data<float>().data() + row * kColumns;
      const float most = *std::max_element(first, first + kColumns);
      for (size_t i = 0; i < kColumns; ++i) {
        ASSERT_EQ(y[row * kColumns + i], first[i] - most) << offset << " row " << row;
      }
    }
  }
}

// With caches so small that results do not go through them.
absl::StatusOr<runtime::Executable> SoftmaxPastCaches(int64_t rows, int64_t columns) {
  Graph graph("rows");
  graph.Output("y", Softmax(graph.Input("x", {rows, columns})));
  CompileOptions options;
  options.target = codegen::NamedTarget("host").value();
  options.target.l3_bytes = 1 << 16;
  return Compile(graph, options);
}

TEST(RowsTest, StaggeredRowsAreTheSameWhereverTheyLie) {
  constexpr int64_t kRows = 65, kColumns = 304;
  constexpr size_t kAll = kRows * kColumns;
  const auto executable = SoftmaxPastCaches(kRows, kColumns);
  ASSERT_TRUE(executable.ok()) << executable.status();
  const std::vector<float> numbers = Numbers(kAll);
  const auto x = runtime::Tensor::FromVector<float>({kRows, kColumns}, numbers).value();
  auto workspace = runtime::AlignedBuffer::Create(executable->WorkspaceBytes({}).value()).value();
  auto memory = runtime::Tensor::Create(runtime::DType::kF32, {kAll + 32}).value();
  const std::vector<float> want = Compiled(Softmax, kColumns)(numbers);
  const std::vector<runtime::TensorView> in = {x};
  for (const size_t offset : {0, 1, 8, 16}) {
    float* y = memory.data<float>().data() + offset;
    std::fill_n(memory.data<float>().data(), kAll + 32, kNan);
    const std::vector<runtime::MutableTensorView> out = {{y, runtime::DType::kF32, x.shape()}};
    auto call = executable->Bind(in, out, {workspace.data(), workspace.size()});
    ASSERT_TRUE(call.ok()) << call.status();
    ASSERT_TRUE(call->Run().ok());
    for (size_t i = 0; i < kAll; ++i) {
      ASSERT_TRUE(IsSame(y[i], want[i])) << offset << " place " << i << ": " << y[i];
    }
    ASSERT_TRUE(std::isnan(y[kAll])) << offset;
  }
}

// Rows that are staggered only because they are stored past the caches.
TEST(RowsTest, LongStaggeredRowsAreRight) {
  constexpr int64_t kRows = 35, kColumns = 4096;
  const auto executable = SoftmaxPastCaches(kRows, kColumns);
  ASSERT_TRUE(executable.ok()) << executable.status();
  const std::vector<float> numbers = Numbers(kRows * kColumns);
  std::vector<runtime::Tensor> in;
  in.push_back(runtime::Tensor::FromVector<float>({kRows, kColumns}, numbers).value());
  const auto y = executable->Run(std::move(in));
  ASSERT_TRUE(y.ok()) << y.status();
  const std::vector<float> want = Compiled(Softmax, kColumns)(numbers);
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_NEAR((*y)[0].data<float>()[i], want[i], want[i] * 1e-6F) << i;
  }
}

}  // namespace
}  // namespace gradus
