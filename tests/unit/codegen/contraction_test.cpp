#include <cmath>
#include <random>

#include "tests/unit/codegen/hand_made.h"

namespace gradus::codegen {
namespace {

using loop::Contraction;
using loop::Expr;
using loop::Index;

struct Case {
  int64_t n, k;
  int tile_rows, tile_vectors;
  int k_unroll = 1;
  bool run_time_m = true;
  bool balanced = true;
  bool in_registers = true;
  bool transposed_a = false;
  bool transposed_b = false;
  Contraction::Order order = Contraction::Order::kColumnsOuter;
  int64_t k_block = 0;
  bool panels = false;
  const char* target = "host";
};

// o = max(a b + bias, 0), M from 0 to 70.
template <typename T>
void Check(const Case& c, const std::vector<int64_t>& sizes) {
  ir::DType dtype = sizeof(T) == 4 ? ir::DType::kF32 : ir::DType::kF64;
  const ir::Dim batch{ir::Symbol("B")};
  for (int64_t fixed : c.run_time_m ? std::vector<int64_t>{0} : sizes) {
    HandMade h;
    ir::Dim m = c.run_time_m ? batch : ir::Dim(fixed);
    // Transposed, the rows of A lie side by side: that needs a known number of them.
    int a = h.Input("a", dtype, c.transposed_a ? ir::Shape{c.k, m} : ir::Shape{m, c.k});
    int b = h.Input("b", dtype, c.transposed_b ? ir::Shape{c.n, c.k} : ir::Shape{c.k, c.n});
    int bias = h.Input("bias", dtype, {c.n});
    int o = h.Output("o", dtype, {m, c.n});
    CodegenOptions options;
    options.target = *NamedTarget(c.target);
    int64_t lanes = options.target.lanes(sizeof(T));
    int64_t columns = c.tile_vectors * lanes;
    int panel = -1;
    if (c.panels)
      panel = h.Scratch("panel", dtype, c.k_block * ((c.n + columns - 1) / columns) * columns);
    auto* i = h.arena->NewVariable("i", loop::Extent(m));
    auto* j = h.arena->NewVariable("j", c.n);
    auto* k = h.arena->NewVariable("k", c.k);
    Contraction p;
    p.m = {i};
    p.n = j;
    p.k = {k};
    p.a = {a, c.transposed_a ? Index(k) * fixed + Index(i) : Index(i) * c.k + Index(k), "direct"};
    p.b = {b, c.transposed_b ? Index(j) * c.k + Index(k) : Index(k) * c.n + Index(j), "direct"};
    p.dtype = dtype;
    p.tile_rows = c.tile_rows;
    p.tile_vectors = c.tile_vectors;
    p.rows_balanced = c.balanced;
    p.order = c.order;
    p.k_unroll = c.k_unroll;
    p.k_block = c.k_block;
    p.b_panel_buffer = panel;
    p.partial_buffer = c.k_block > 0 ? o : -1;
    p.partial_offset = Index(i) * c.n + Index(j);
    p.prefetch_epilogue = c.panels;
    p.epilogue_in_registers = c.in_registers;
    Expr acc = h.E(h.arena->Acc(dtype, 0));
    Expr y = acc + h.E(h.Load(bias, Index(j)));
    const loop::Scalar* relu = Max(y, y.Const(0)).scalar();
    p.epilogue = {{o, Index(i) * c.n + Index(j), relu, false}};
    h.plan->steps.emplace_back(p);
    auto run = h.Compile(options);
    std::mt19937 engine(1);
    std::uniform_real_distribution<T> uniform(-1, 1);
    auto random = [&](int64_t n) {
      std::vector<T> v(static_cast<size_t>(n));
      for (T& x : v) x = uniform(engine);
      return v;
    };
    for (int64_t rows : c.run_time_m ? sizes : std::vector<int64_t>{fixed}) {
      auto as = random(rows * c.k), bs = random(c.k * c.n), biases = random(c.n);
      std::vector<int64_t> a_shape =
          c.transposed_a ? std::vector<int64_t>{c.k, rows} : std::vector<int64_t>{rows, c.k};
      std::vector<int64_t> b_shape =
          c.transposed_b ? std::vector<int64_t>{c.n, c.k} : std::vector<int64_t>{c.k, c.n};
      Guarded<T> ga(a_shape, as), gb(b_shape, bs), gbias({c.n}, biases),
          go({rows, c.n}, std::vector<T>(static_cast<size_t>(rows * c.n), -7));
      std::vector<runtime::TensorView> arguments{ga.view(), gb.view(), gbias.view(), go.view()};
      std::vector<runtime::MutableTensorView> results{go.view()};
      auto dims = run.BindSymbols(arguments);
      ASSERT_TRUE(dims.ok()) << std::string(dims.status().message());
      auto workspace = runtime::AlignedBuffer::Create(*run.WorkspaceBytes(*dims));
      absl::Status status = run.Call(arguments, results, workspace->span());
      ASSERT_TRUE(status.ok()) << std::string(status.message());
      ASSERT_TRUE(go.Intact()) << rows;
      double tolerance = (sizeof(T) == 4 ? 2e-6 : 1e-14) * static_cast<double>(c.k + 2);
      int wrong = 0;
      for (int64_t row = 0; row < rows; ++row) {
        for (int64_t col = 0; col < c.n; ++col) {
          double want = biases[static_cast<size_t>(col)];
          for (int64_t x = 0; x < c.k; ++x) {
            want +=
                double(as[static_cast<size_t>(c.transposed_a ? x * rows + row : row * c.k + x)]) *
                double(bs[static_cast<size_t>(c.transposed_b ? col * c.k + x : x * c.n + col)]);
          }
          want = std::max(want, 0.0);
          double got = go[static_cast<size_t>(row * c.n + col)];
          if (!(std::abs(got - want) <= tolerance)) {
            if (++wrong <= 3)
              ADD_FAILURE() << rows << "x" << c.n << "x" << c.k << " at " << row << "," << col
                            << ": " << got << " want " << want;
          }
        }
      }
    }
  }
}

std::vector<int64_t> To70() {
  std::vector<int64_t> sizes;
  for (int64_t i = 0; i <= 70; ++i) sizes.push_back(i);
  return sizes;
}

TEST(Contraction, RunTimeRows) {
  Check<float>({.n = 64, .k = 33, .tile_rows = 6, .tile_vectors = 4}, To70());
}
TEST(Contraction, RunTimeRowsColumnTail) {
  Check<float>({.n = 83, .k = 10, .tile_rows = 6, .tile_vectors = 2, .k_unroll = 4}, To70());
  Check<float>({.n = 7, .k = 5, .tile_rows = 8, .tile_vectors = 1, .k_unroll = 5}, To70());
}
TEST(Contraction, PanelsTransposed) {
  for (auto order : {Contraction::Order::kColumnsOuter, Contraction::Order::kRowsOuter}) {
    const Case c{.n = 83,
                 .k = 130,
                 .tile_rows = 6,
                 .tile_vectors = 2,
                 .transposed_b = true,
                 .order = order,
                 .k_block = 50,
                 .panels = true};
    Check<float>(c, {0, 1, 7, 13, 70});
    Check<double>(c, {0, 1, 7, 13, 70});
  }
  // So large that panels are fetched ahead.
  Check<float>({.n = 1040,
                .k = 600,
                .tile_rows = 12,
                .tile_vectors = 2,
                .transposed_b = true,
                .k_block = 512,
                .panels = true},
               {70});
}
TEST(Contraction, Double) {
  Check<double>({.n = 37, .k = 20, .tile_rows = 6, .tile_vectors = 4, .k_unroll = 2}, To70());
}
TEST(Contraction, ShortLastRowTile) {
  Check<float>({.n = 32, .k = 9, .tile_rows = 8, .tile_vectors = 2, .balanced = false}, To70());
}
TEST(Contraction, FixedRows) {
  Check<float>({.n = 80, .k = 40, .tile_rows = 6, .tile_vectors = 4, .run_time_m = false},
               {1, 5, 6, 7, 33});
  Check<float>(
      {.n = 40, .k = 16, .tile_rows = 6, .tile_vectors = 2, .run_time_m = false, .balanced = false},
      {1, 7, 12});
}
TEST(Contraction, OtherTargets) {
  for (const char* target : {"x86-64", "x86-64-v3"}) {
    Check<float>(
        {.n = 37, .k = 20, .tile_rows = 4, .tile_vectors = 2, .k_unroll = 2, .target = target},
        {0, 1, 4, 5, 33});
    Check<double>({.n = 37,
                   .k = 20,
                   .tile_rows = 4,
                   .tile_vectors = 2,
                   .in_registers = false,
                   .target = target},
                  {0, 1, 9});
  }
}
TEST(Contraction, LargeB) {  // the next columns are fetched ahead
  Check<float>({.n = 520, .k = 784, .tile_rows = 6, .tile_vectors = 4}, {1, 13});
}
TEST(Contraction, TransposedA) {
  Check<float>({.n = 48,
                .k = 32,
                .tile_rows = 8,
                .tile_vectors = 1,
                .run_time_m = false,
                .transposed_a = true,
                .order = Contraction::Order::kRowsOuter},
               {1, 20, 33});
}
TEST(Contraction, RolledEpilogue) {
  Check<float>({.n = 83, .k = 10, .tile_rows = 6, .tile_vectors = 4, .in_registers = false},
               {0, 1, 6, 13});
}
TEST(Contraction, BlocksOfK) {
  Check<float>({.n = 83,
                .k = 50,
                .tile_rows = 6,
                .tile_vectors = 4,
                .order = Contraction::Order::kRowsOuter,
                .k_block = 20},
               {0, 1, 13});
  Check<float>({.n = 83,
                .k = 50,
                .tile_rows = 6,
                .tile_vectors = 4,
                .order = Contraction::Order::kRowsOuter,
                .k_block = 20,
                .panels = true},
               {0, 1, 13});
  Check<float>({.n = 64, .k = 40, .tile_rows = 6, .tile_vectors = 4, .k_block = 64, .panels = true},
               {7});
}

// o = a^T b over a run-time count, 0 included: the gradient of a weight over a batch.
TEST(Contraction, RunTimeSum) {
  const ir::Dim batch{ir::Symbol("B")};
  for (int unroll : {1, 4}) {
    const int64_t m = 9, n = 21;
    HandMade h;
    int a = h.Input("a", ir::DType::kF32, {batch, m}),
        b = h.Input("b", ir::DType::kF32, {batch, n});
    int o = h.Output("o", ir::DType::kF32, {m, n});
    auto *i = h.arena->NewVariable("i", m), *j = h.arena->NewVariable("j", n);
    auto* k = h.arena->NewVariable("k", loop::Extent(batch));
    Contraction p;
    p.m = {i};
    p.n = j;
    p.k = {k};
    p.a = {a, Index(k) * m + Index(i), "direct"};
    p.b = {b, Index(k) * n + Index(j), "direct"};
    p.k_unroll = unroll;
    p.epilogue = {{o, Index(i) * n + Index(j), h.arena->Acc(ir::DType::kF32, 0), false}};
    h.plan->steps.emplace_back(p);
    auto run = h.Compile();
    for (int64_t count = 0; count <= 20; ++count) {
      std::vector<float> as, bs;
      for (int64_t x = 0; x < count * m; ++x) as.push_back(static_cast<float>(x % 7) - 3);
      for (int64_t x = 0; x < count * n; ++x) bs.push_back(static_cast<float>(x % 5) - 2);
      Guarded<float> ga({count, m}, as), gb({count, n}, bs);
      Guarded<float> go({m, n}, std::vector<float>(m * n, -7));
      std::vector<runtime::TensorView> arguments{ga.view(), gb.view(), go.view()};
      std::vector<runtime::MutableTensorView> results{go.view()};
      absl::Status status = run.Call(arguments, results, {});
      ASSERT_TRUE(status.ok()) << std::string(status.message());
      EXPECT_TRUE(go.Intact());
      for (int64_t row = 0; row < m; ++row) {
        for (int64_t col = 0; col < n; ++col) {
          float want = 0;  // small integers: exact
          for (int64_t x = 0; x < count; ++x) {
            want += as[static_cast<size_t>(x * m + row)] * bs[static_cast<size_t>(x * n + col)];
          }
          EXPECT_EQ(go[static_cast<size_t>(row * n + col)], want) << count;
        }
      }
    }
  }
}

}  // namespace
}  // namespace gradus::codegen
