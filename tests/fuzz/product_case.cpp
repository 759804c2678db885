#include "tests/fuzz/product_case.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "fmt/format.h"
#include "ir/ops/composite.h"
#include "ir/ops/contraction.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/movement.h"
#include "ir/ops/reduction.h"

namespace gradus::fuzz {
namespace {

using Epilogue = ProductCase::Epilogue;
using Prologue = ProductCase::Prologue;

// Round vectors of 4 to 16 lanes, tiles of 2 to 24 rows and 1 to 4 vectors, panels, and the
// short-sum rule.
constexpr int64_t kSizes[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  12, 13, 15, 16,  17,  18,  23, 24,
                              25, 31, 32, 33, 36, 47, 48, 49, 63, 64, 65, 96, 100, 127, 128, 129};

template <typename T, size_t N>
T Pick(std::mt19937_64& random, const T (&list)[N]) {
  return list[random() % N];
}
bool Chance(std::mt19937_64& random, int percent) {
  return static_cast<int>(random() % 100) < percent;
}

ir::Dim Size(int64_t number, bool symbolic, const char* symbol) {
  return symbolic ? ir::Dim(ir::Symbol(symbol)) : ir::Dim(number);
}

}  // namespace

ProductCase ProductCase::Random(std::mt19937_64& random) {
  ProductCase c;
  if (Chance(random, 20)) c.dtype = ir::DType::kF64;
  do {
    c.m = Pick(random, kSizes);
    c.n = Pick(random, kSizes);
    c.k = Pick(random, kSizes);
  } while (c.m * c.n * c.k > 600000);
  if (Chance(random, 20)) {  // round M * N * K = 4096
    c.k = std::max<int64_t>(1, 4096 / (c.m * c.n) + static_cast<int64_t>(random() % 3) - 1);
  }
  if (Chance(random, 25)) c.batch = static_cast<int64_t>(random() % 3) + 1;
  if (Chance(random, 40)) c.m_symbolic = true;
  if (Chance(random, 20)) c.k_symbolic = true;
  c.transpose_a = Chance(random, 40);
  c.transpose_b = Chance(random, 40);
  c.by_op = Chance(random, 25);
  if (!c.m_symbolic && !c.k_symbolic) {
    if (Chance(random, 15)) {
      c.slice_a = true;
    } else {
      c.reshape_a = Chance(random, 15);
    }
  }
  if (Chance(random, 30)) c.prologue_a = Chance(random, 70) ? Prologue::kMask : Prologue::kScale;
  if (Chance(random, 15)) c.prologue_b = Chance(random, 70) ? Prologue::kMask : Prologue::kScale;
  c.epilogue = static_cast<Epilogue>(random() % 10);
  if (c.batch == 0 && !c.by_op && !c.slice_a && !c.reshape_a && !(c.transpose_a && c.transpose_b) &&
      Chance(random, 25)) {
    c.t = static_cast<int64_t>(random() % 4) + 1;
    c.t_symbolic = Chance(random, 40);
  }
  return c;
}

std::string ProductCase::ToString() const {
  return fmt::format(
      "{}, batch {}, m {}{}, t {}{}, n {}, k {}{}{}{}{}{}{}, prologues {} {}, epilogue {}",
      ir::Name(dtype), batch, m, m_symbolic ? " (symbol)" : "", t, t_symbolic ? " (symbol)" : "", n,
      k, k_symbolic ? " (symbol)" : "", transpose_a ? ", transpose a" : "",
      transpose_b ? ", transpose b" : "", by_op ? " by op" : "", slice_a ? ", slice a" : "",
      reshape_a ? ", reshape a" : "", static_cast<int>(prologue_a), static_cast<int>(prologue_b),
      static_cast<int>(epilogue));
}

namespace {

// [batch], x, [t], y: without the axes that are not there.
ir::Shape With(int64_t batch, ir::Dim x, ir::Dim y, std::optional<ir::Dim> t = std::nullopt) {
  ir::Shape shape;
  if (batch > 0) shape.push_back(ir::Dim(batch));
  shape.push_back(x);
  if (t) shape.push_back(*t);
  shape.push_back(y);
  return shape;
}

ir::Value Prepare(ir::Function& f, Prologue prologue, ir::Value x, const char* name) {
  switch (prologue) {
    case Prologue::kNone: return x;
    case Prologue::kMask: {
      const ir::Value h = f.AddArgument(fmt::format("h{}", name), x.type());
      return ir::select(ir::greater(h, 0), x, ir::mul(x, 0));
    }
    case Prologue::kScale: return ir::add(ir::mul(x, 0.5), 0.25);
  }
  return x;
}

}  // namespace

void ProductCase::Build(ir::Function& f) const {
  const ir::Dim dm = Size(m, m_symbolic, "M"), dk = Size(k, k_symbolic, "K"), dn(n);
  const int leading = batch > 0 ? 1 : 0;
  const std::optional<ir::Dim> dt = t > 0 ? std::optional(Size(t, t_symbolic, "T")) : std::nullopt;
  const std::optional<ir::Dim> row_t = transpose_a ? std::nullopt : dt,
                               sum_t = transpose_a ? dt : std::nullopt;
  const ir::Dim a0 = transpose_a ? dk : dm, a1 = transpose_a ? dm : dk;
  const ir::Dim b0 = transpose_b ? dn : dk, b1 = transpose_b ? dk : dn;

  ir::Shape a_shape = With(batch, a0, a1, dt);
  if (slice_a) a_shape = With(batch, ir::Dim(a0.size() + 3), ir::Dim(a1.size() + 2));
  if (reshape_a) {
    a_shape = ir::Shape();
    if (batch > 0) a_shape.push_back(ir::Dim(batch));
    a_shape.push_back(ir::Dim(a0.size() * a1.size()));
  }
  ir::Value a = f.AddArgument("a", {dtype, a_shape});
  if (slice_a) {
    std::vector<ir::Range1> ranges(static_cast<size_t>(leading));
    ranges.push_back({1, 1 + a0.size(), 1});
    ranges.push_back({a1.size(), 0, -1});
    a = ir::slice(a, ranges);
  }
  if (reshape_a) a = ir::reshape(a, With(batch, a0, a1));
  a = Prepare(f, prologue_a, a, "a");
  ir::Value b = f.AddArgument("b", {dtype, With(batch, b0, b1, sum_t)});
  b = Prepare(f, prologue_b, b, "b");

  ir::MatmulOptions options{leading, transpose_a, transpose_b};
  const std::vector<int64_t> swap =
      batch > 0 ? std::vector<int64_t>{0, 2, 1} : std::vector<int64_t>{1, 0};
  if (by_op && transpose_a) {
    a = ir::transpose(a, swap);
    options.transpose_a = false;
  }
  if (by_op && transpose_b) {
    b = ir::transpose(b, swap);
    options.transpose_b = false;
  }
  const ir::Value z = ir::matmul(a, b, options);
  switch (epilogue) {
    case Epilogue::kNone: f.AddResult(z, "z"); break;
    case Epilogue::kBias: f.AddResult(ir::add(z, f.AddArgument("bias", {dtype, {dn}})), "z"); break;
    case Epilogue::kBiasRelu:
      f.AddResult(ir::relu(ir::add(z, f.AddArgument("bias", {dtype, {dn}}))), "z");
      break;
    case Epilogue::kResidual: f.AddResult(ir::add(z, f.AddArgument("r", z.type())), "z"); break;
    case Epilogue::kRowScale: {
      ir::Shape shape{dm};
      if (row_t) shape.push_back(*row_t);
      const ir::Value scale = f.AddArgument("s", {dtype, shape});
      const std::vector<int64_t> axes =
          row_t ? std::vector<int64_t>{0, 1} : std::vector<int64_t>{leading};
      f.AddResult(ir::mul(z, ir::broadcast(scale, z.shape(), axes)), "z");
      break;
    }
    case Epilogue::kUpdate: {
      const ir::Value w = f.AddArgument("w", z.type());
      f.AddResult(ir::sub(w, ir::mul(z, 0.125)), "w", f.num_args() - 1);
      break;
    }
    case Epilogue::kTwoResults: {
      const ir::Value sum = ir::add(z, f.AddArgument("bias", {dtype, {dn}}));
      f.AddResult(sum, "z");
      f.AddResult(ir::relu(sum), "y");
      break;
    }
    case Epilogue::kTanh: f.AddResult(ir::tanh(z), "z"); break;
    case Epilogue::kMask: {
      const ir::Value h = f.AddArgument("h", z.type());
      f.AddResult(ir::select(ir::greater(h, 0), z, ir::mul(z, 0)), "z");
      break;
    }
    case Epilogue::kColumnSums: {
      f.AddResult(z, "z");
      std::vector<int64_t> axes;
      for (int64_t axis = 0; axis + 1 < z.rank(); ++axis) axes.push_back(axis);
      f.AddResult(ir::reduce_sum(z, axes), "sums");
      break;
    }
  }
}

namespace {

int64_t Count(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t s : shape) count *= s;
  return count;
}

Array RandomArray(std::vector<int64_t> shape, std::mt19937_64& random) {
  Array array{std::move(shape), {}, -1};
  array.values.resize(static_cast<size_t>(Count(array.shape)));
  // Multiples of 2^-12 in [-1, 1]: exact in both dtypes.
  for (double& v : array.values)
    v = static_cast<double>(static_cast<int64_t>(random() % 8193) - 4096) / 4096;
  return array;
}

Array Empty(std::vector<int64_t> shape) {
  Array array{std::move(shape), {}, -1};
  array.values.assign(static_cast<size_t>(Count(array.shape)), 0);
  return array;
}

// [batch], x, [t], y: without the axes that are not there.
std::vector<int64_t> Leading(int64_t batch, int64_t x, int64_t y,
                             std::optional<int64_t> t = std::nullopt) {
  std::vector<int64_t> shape;
  if (batch > 0) shape.push_back(batch);
  shape.push_back(x);
  if (t) shape.push_back(*t);
  shape.push_back(y);
  return shape;
}

double Prologued(Prologue prologue, double x, double h) {
  if (prologue == Prologue::kMask) return h > 0 ? x : 0;
  if (prologue == Prologue::kScale) return x * 0.5 + 0.25;
  return x;
}

}  // namespace

ProductCall ProductCall::Random(const ProductCase& c, int64_t m, int64_t k, int64_t t,
                                std::mt19937_64& random) {
  ProductCall call;
  // In memory the axis t is part of the rows, or of the sum.
  const std::optional<int64_t> second = c.t > 0 ? std::optional(t) : std::nullopt;
  const std::optional<int64_t> row_t = c.transpose_a ? std::nullopt : second;
  const std::optional<int64_t> sum_t = c.transpose_a ? second : std::nullopt;
  const int64_t m0 = m, k0 = k;
  if (row_t) m *= t;
  if (sum_t) k *= t;
  const int64_t n = c.n, batches = std::max<int64_t>(c.batch, 1);
  const int64_t a0 = c.transpose_a ? k : m, a1 = c.transpose_a ? m : k;
  const int64_t b0 = c.transpose_b ? n : k, b1 = c.transpose_b ? k : n;
  // A with its prologue as [batch][a0][a1], B likewise.
  std::vector<double> a(static_cast<size_t>(batches * a0 * a1)),
      b(static_cast<size_t>(batches * b0 * b1));
  const std::vector<int64_t> a_shape =
      c.transpose_a ? Leading(c.batch, k0, m, second) : Leading(c.batch, m0, k, second);
  std::vector<int64_t> flat_shape = Leading(c.batch, 1, a0 * a1);
  flat_shape.erase(flat_shape.end() - 2);
  Array a_in = RandomArray(c.slice_a     ? Leading(c.batch, a0 + 3, a1 + 2)
                           : c.reshape_a ? flat_shape
                                         : a_shape,
                           random);
  for (int64_t g = 0; g < batches; ++g) {
    for (int64_t i = 0; i < a0; ++i) {
      for (int64_t j = 0; j < a1; ++j) {
        const int64_t from =
            c.slice_a ? (g * (a0 + 3) + i + 1) * (a1 + 2) + (a1 - j) : (g * a0 + i) * a1 + j;
        a[static_cast<size_t>((g * a0 + i) * a1 + j)] = a_in.values[static_cast<size_t>(from)];
      }
    }
  }
  call.arguments.push_back(std::move(a_in));
  const std::vector<int64_t> b_shape =
      c.transpose_b ? Leading(c.batch, n, k) : Leading(c.batch, k0, n, sum_t);
  const auto prologue = [&](Prologue p, std::vector<double>& x, const std::vector<int64_t>& shape) {
    Array h = p == Prologue::kMask ? RandomArray(shape, random) : Array{};
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = Prologued(p, x[i], h.values.empty() ? 0 : h.values[i]);
    if (p == Prologue::kMask) call.arguments.push_back(std::move(h));
  };
  prologue(c.prologue_a, a, a_shape);
  call.arguments.push_back(RandomArray(b_shape, random));
  b = call.arguments.back().values;
  prologue(c.prologue_b, b, b_shape);

  Array extra;
  const std::vector<int64_t> shape = Leading(c.batch, m0, n, row_t);
  switch (c.epilogue) {
    case Epilogue::kBias:
    case Epilogue::kBiasRelu:
    case Epilogue::kTwoResults: extra = RandomArray({n}, random); break;
    case Epilogue::kRowScale:
      extra =
          RandomArray(row_t ? std::vector<int64_t>{m0, *row_t} : std::vector<int64_t>{m}, random);
      break;
    case Epilogue::kResidual:
    case Epilogue::kMask:
    case Epilogue::kUpdate: extra = RandomArray(shape, random); break;
    default: break;
  }
  Array z = Empty(shape),
        y = Empty(c.epilogue == Epilogue::kColumnSums ? std::vector<int64_t>{n} : shape);
  std::vector<double> z_bound(z.values.size()), y_bound(y.values.size());
  const double epsilon = c.dtype == ir::DType::kF32 ? 0x1p-23 : 0x1p-52;
  for (int64_t g = 0; g < batches; ++g) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0, size = 0;
        for (int64_t p = 0; p < k; ++p) {
          const double x = a[static_cast<size_t>((g * a0 + (c.transpose_a ? p : i)) * a1 +
                                                 (c.transpose_a ? i : p))];
          const double w = b[static_cast<size_t>((g * b0 + (c.transpose_b ? j : p)) * b1 +
                                                 (c.transpose_b ? p : j))];
          sum += x * w;
          size += std::abs(x * w);
        }
        // Any order of k roundings stays within k * epsilon / 2 * sum |a b|.
        double bound = epsilon * (static_cast<double>(k) * size + 1e-30);
        const size_t at = static_cast<size_t>((g * m + i) * n + j);
        double value = sum;
        switch (c.epilogue) {
          case Epilogue::kNone:
          case Epilogue::kColumnSums: break;
          case Epilogue::kBias:
          case Epilogue::kTwoResults: value = sum + extra.values[static_cast<size_t>(j)]; break;
          case Epilogue::kBiasRelu:
            value = std::max(0.0, sum + extra.values[static_cast<size_t>(j)]);
            break;
          case Epilogue::kResidual: value = sum + extra.values[at]; break;
          case Epilogue::kRowScale: value = sum * extra.values[static_cast<size_t>(i)]; break;
          case Epilogue::kUpdate: value = extra.values[at] - sum * 0.125; break;
          case Epilogue::kTanh: value = std::tanh(sum); break;
          case Epilogue::kMask: value = extra.values[at] > 0 ? sum : 0; break;
        }
        bound += epsilon * (std::abs(value) + std::abs(sum) + 1) * 4;
        z.values[at] = value;
        z_bound[at] = bound;
        if (c.epilogue == Epilogue::kTwoResults) {
          y.values[at] = std::max(0.0, value);
          y_bound[at] = bound;
        } else if (c.epilogue == Epilogue::kColumnSums) {
          y.values[static_cast<size_t>(j)] += sum;
          y_bound[static_cast<size_t>(j)] +=
              bound + epsilon * static_cast<double>(batches * m) * (std::abs(sum) + bound);
        }
      }
    }
  }
  if (!extra.shape.empty()) call.arguments.push_back(std::move(extra));
  if (c.epilogue == Epilogue::kUpdate) z.alias = static_cast<int>(call.arguments.size()) - 1;
  call.results.push_back(std::move(z));
  call.bounds.push_back(std::move(z_bound));
  if (c.epilogue == Epilogue::kTwoResults || c.epilogue == Epilogue::kColumnSums) {
    call.results.push_back(std::move(y));
    call.bounds.push_back(std::move(y_bound));
  }
  return call;
}

}  // namespace gradus::fuzz
