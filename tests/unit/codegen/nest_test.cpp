#include <cmath>
#include <random>

#include "tests/unit/codegen/hand_made.h"

namespace gradus::codegen {
namespace {

using loop::Expr;
using loop::Index;
using loop::Nest;

std::vector<float> Random(size_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> v(n);
  for (float& x : v) x = uniform(engine);
  return v;
}

void Call(const runtime::Executable& e, std::vector<runtime::MutableTensorView> views) {
  std::vector<runtime::TensorView> arguments;
  std::vector<runtime::MutableTensorView> results;
  for (auto& v : views) arguments.push_back(v);
  for (int i = 0; i < e.info().result_count; ++i)
    results.push_back(views[static_cast<size_t>(e.info().results[i].alias)]);
  auto dims = e.BindSymbols(arguments);
  ASSERT_TRUE(dims.ok()) << std::string(dims.status().message());
  int64_t bytes = *e.WorkspaceBytes(*dims);
  auto workspace = runtime::AlignedBuffer::Create(bytes);
  ASSERT_TRUE(workspace.ok());
  absl::Status status = e.Call(arguments, results, workspace->span());
  ASSERT_TRUE(status.ok()) << std::string(status.message());
}

const ir::Dim kB{ir::Symbol("B")};

// o[i, j] = max(x[i, j] * w[j] + 1, 0) with B rows.
TEST(Nest, RowsWithRunTimeCount) {
  for (int64_t n : {1, 15, 16, 17, 70, 128}) {
    HandMade h;
    int x = h.Input("x", ir::DType::kF32, {kB, n});
    int w = h.Input("w", ir::DType::kF32, {n});
    int o = h.Output("o", ir::DType::kF32, {kB, n});
    auto* i = h.arena->NewVariable("i", loop::Extent(kB));
    auto* j = h.arena->NewVariable("j", n);
    Index flat = Index(i) * n + Index(j);
    Expr y = h.E(h.Load(x, flat)) * h.E(h.Load(w, Index(j))) + 1.0;
    Nest nest;
    nest.loops = {i, j};
    nest.vector = j;
    nest.stores = {{o, flat, Max(y, y.Const(0)).scalar(), false}};
    h.plan->steps.emplace_back(nest);
    auto run = h.Compile();
    for (int64_t b : {0, 1, 3, 65}) {
      auto xs = Random(static_cast<size_t>(b * n), 1), ws = Random(static_cast<size_t>(n), 2);
      Guarded<float> gx({b, n}, xs), gw({n}, ws), go({b, n}, std::vector<float>(xs.size(), -7));
      Call(run, {gx.view(), gw.view(), go.view()});
      EXPECT_TRUE(go.Intact());
      for (size_t k = 0; k < xs.size(); ++k) {
        EXPECT_EQ(go[k], std::max(xs[k] * ws[k % static_cast<size_t>(n)] + 1, 0.0f))
            << n << " " << b << " " << k;
      }
    }
  }
}

// Flat over a run-time count: o[i] = x[i] - mean, and the sum itself, for every count round the
// vector's lanes.
TEST(Nest, SumAndCentreFor0To70) {
  HandMade h;
  int x = h.Input("x", ir::DType::kF32, {kB});
  int s = h.Output("s", ir::DType::kF32, {});
  int o = h.Output("o", ir::DType::kF32, {kB});
  auto* i = h.arena->NewVariable("i", loop::Extent(kB));
  auto* k = h.arena->NewVariable("k", loop::Extent(kB));
  const loop::Scalar* sum = h.arena->Reduce(loop::ReduceKind::kSum, {{k}}, h.Load(x, Index(k)));
  Nest total;
  total.vector_reductions = {k};
  total.stores = {{s, Index(0), sum, false}};
  Nest centre;
  centre.loops = {i};
  centre.vector = i;
  Expr count = Cast(ir::DType::kF32, h.E(h.arena->ExtentValue(loop::Extent(kB))));
  centre.stores = {
      {o, Index(i), (h.E(h.Load(x, Index(i))) - h.E(h.Load(s, Index(0))) / count).scalar(), false}};
  h.plan->steps = {total, centre};
  auto run = h.Compile();
  for (int64_t b = 0; b <= 70; ++b) {
    auto xs = Random(static_cast<size_t>(b), 3);
    Guarded<float> gx({b}, xs), gs({}, std::vector<float>{-1}),
        go({b}, std::vector<float>(xs.size(), -7));
    Call(run, {gx.view(), gs.view(), go.view()});
    double want = 0;
    for (float v : xs) want += v;
    EXPECT_NEAR(gs[0], want, 1e-5) << b;
    EXPECT_TRUE(go.Intact());
    for (size_t n = 0; n < xs.size(); ++n)
      EXPECT_NEAR(go[n], xs[n] - want / static_cast<double>(b), 1e-5);
  }
}

// Softmax over rows: a maximum and a sum a row, hoisted out of the loop over columns.
TEST(Nest, RowReductions) {
  for (int64_t n : {1, 7, 16, 40, 100}) {
    HandMade h;
    int x = h.Input("x", ir::DType::kF64, {kB, n});
    int o = h.Output("o", ir::DType::kF64, {kB, n});
    auto* i = h.arena->NewVariable("i", loop::Extent(kB));
    auto* j = h.arena->NewVariable("j", n);
    auto* k = h.arena->NewVariable("k", n);
    Expr max =
        h.E(h.arena->Reduce(loop::ReduceKind::kMax, {{k}}, h.Load(x, Index(i) * n + Index(k))));
    Expr term = h.E(h.Load(x, Index(i) * n + Index(k))) - max;
    Expr sum = h.E(h.arena->Reduce(loop::ReduceKind::kSum, {{k}}, (term * term).scalar()));
    Nest nest;
    nest.loops = {i, j};
    nest.vector = j;
    nest.vector_reductions = {k};
    nest.stores = {{o, Index(i) * n + Index(j),
                    ((h.E(h.Load(x, Index(i) * n + Index(j))) - max) / (sum + 1.0)).scalar(),
                    false}};
    h.plan->steps.emplace_back(nest);
    auto run = h.Compile();
    for (int64_t b : {0, 1, 5}) {
      std::vector<double> xs;
      for (float v : Random(static_cast<size_t>(b * n), 4)) xs.push_back(v);
      Guarded<double> gx({b, n}, xs), go({b, n}, std::vector<double>(xs.size(), -7));
      Call(run, {gx.view(), go.view()});
      EXPECT_TRUE(go.Intact());
      for (int64_t r = 0; r < b; ++r) {
        auto at = [&](int64_t c) { return xs[static_cast<size_t>(r * n + c)]; };
        double m = at(0), total = 0;
        for (int64_t c = 0; c < n; ++c) m = std::max(m, at(c));
        for (int64_t c = 0; c < n; ++c) total += (at(c) - m) * (at(c) - m);
        for (int64_t c = 0; c < n; ++c)
          EXPECT_NEAR(go[static_cast<size_t>(r * n + c)], (at(c) - m) / (total + 1), 1e-12);
      }
    }
  }
}

// A shift with zeros at the ends: the load must not happen where the guard fails.
TEST(Nest, GuardsKeepLoadsInside) {
  for (int64_t shift : {-3, -1, 1, 20}) {
    HandMade h;
    int x = h.Input("x", ir::DType::kF32, {kB});
    int o = h.Output("o", ir::DType::kF32, {kB});
    auto* i = h.arena->NewVariable("i", loop::Extent(kB));
    Index from = Index(i) + Index(shift);
    loop::Condition inside{Index(0), from, Index::Of(loop::Extent(kB))};
    Nest nest;
    nest.loops = {i};
    nest.vector = i;
    nest.stores = {{o, Index(i), h.arena->Guard({&inside, 1}, h.Load(x, from)), false}};
    h.plan->steps.emplace_back(nest);
    auto run = h.Compile();
    for (int64_t b = 0; b <= 70; ++b) {
      auto xs = Random(static_cast<size_t>(b), 5);
      Guarded<float> gx({b}, xs), go({b}, std::vector<float>(xs.size(), -7));
      Call(run, {gx.view(), go.view()});
      EXPECT_TRUE(go.Intact());
      for (int64_t n = 0; n < b; ++n) {
        int64_t f = n + shift;
        EXPECT_EQ(go[static_cast<size_t>(n)], f >= 0 && f < b ? xs[static_cast<size_t>(f)] : 0.0f);
      }
    }
  }
}

template <typename T>
void TransposeCase(ir::DType dtype, int64_t rows, int64_t columns, bool scaled, bool guarded) {
  HandMade h;
  int x = h.Input("x", dtype, {kB, rows, columns});
  int o = h.Output("o", dtype, {kB, columns, rows});
  auto* b = h.arena->NewVariable("b", loop::Extent(kB));
  auto* c = h.arena->NewVariable("c", columns);
  auto* r = h.arena->NewVariable("r", rows);
  const loop::Scalar* value =
      h.Load(x, Index(b) * (rows * columns) + Index(r) * columns + Index(c));
  loop::Condition some{Index(0), Index(r) + Index(c), Index(rows)};
  if (guarded) value = h.arena->Guard({&some, 1}, value);
  if (scaled) value = (h.E(value) * 2.0 + 1.0).scalar();
  Nest nest;
  nest.loops = {b, c, r};
  nest.vector = r;
  nest.cross = c;
  nest.mode = Nest::Mode::kTranspose;
  nest.stores = {{o, Index(b) * (rows * columns) + Index(c) * rows + Index(r), value, false}};
  h.plan->steps.emplace_back(nest);
  auto run = h.Compile();
  for (int64_t batch : {0, 1, 2}) {
    std::vector<T> xs;
    for (float v : Random(static_cast<size_t>(batch * rows * columns), 6)) xs.push_back(v);
    Guarded<T> gx({batch, rows, columns}, xs),
        go({batch, columns, rows}, std::vector<T>(xs.size(), -7));
    Call(run, {gx.view(), go.view()});
    EXPECT_TRUE(go.Intact());
    size_t wrong = 0;
    for (int64_t p = 0; p < batch; ++p) {
      for (int64_t j = 0; j < columns; ++j) {
        for (int64_t i = 0; i < rows; ++i) {
          T want = xs[static_cast<size_t>((p * rows + i) * columns + j)];
          if (guarded && i + j >= rows) want = 0;
          if (scaled) want = want * 2 + 1;
          wrong += go[static_cast<size_t>((p * columns + j) * rows + i)] != want;
        }
      }
    }
    EXPECT_EQ(wrong, 0u) << rows << "x" << columns << " scaled " << scaled << " guarded "
                         << guarded;
  }
}

TEST(Nest, TransposesTiles) {
  for (auto [rows, columns] :
       {std::pair<int64_t, int64_t>{16, 16}, {32, 48}, {5, 33}, {17, 3}, {1, 40}}) {
    for (bool scaled : {false, true}) {
      TransposeCase<float>(ir::DType::kF32, rows, columns, scaled, false);
      TransposeCase<double>(ir::DType::kF64, rows, columns, scaled, false);
      TransposeCase<float>(ir::DType::kF32, rows, columns, scaled, true);
    }
  }
}

// Strides other than 1 along the vector, both ways, and a reversal.
TEST(Nest, StridedAndReversed) {
  for (int64_t n : {5, 16, 37}) {
    HandMade h;
    int x = h.Input("x", ir::DType::kF32, {3 * n});
    int r = h.Output("r", ir::DType::kF32, {n});
    int s = h.Output("s", ir::DType::kF32, {2 * n});
    auto* i = h.arena->NewVariable("i", n);
    Nest nest;
    nest.loops = {i};
    nest.vector = i;
    nest.stores = {{r, Index(i), h.Load(x, Index(n - 1) - Index(i)), false},
                   {s, Index(i) * 2, h.Load(x, Index(i) * 3), false}};
    h.plan->steps.emplace_back(nest);
    auto run = h.Compile();
    auto xs = Random(static_cast<size_t>(3 * n), 7);
    Guarded<float> gx({3 * n}, xs), gr({n}, std::vector<float>(static_cast<size_t>(n), -7)),
        gs({2 * n}, std::vector<float>(static_cast<size_t>(2 * n), -7));
    Call(run, {gx.view(), gr.view(), gs.view()});
    EXPECT_TRUE(gr.Intact() && gs.Intact());
    for (int64_t k = 0; k < n; ++k) {
      EXPECT_EQ(gr[static_cast<size_t>(k)], xs[static_cast<size_t>(n - 1 - k)]);
      EXPECT_EQ(gs[static_cast<size_t>(2 * k)], xs[static_cast<size_t>(3 * k)]);
      EXPECT_EQ(gs[static_cast<size_t>(2 * k + 1)], -7);
    }
  }
}

}  // namespace
}  // namespace gradus::codegen
