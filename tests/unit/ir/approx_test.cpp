// The approximations against the maths library in long double, through the host evaluator: accuracy
// by stratified samples, special values one by one. tests/e2e checks the same formulas as native
// code.

#include "ir/ops/approx.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <ostream>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/unit/ir/batch_evaluator.h"

namespace gradus::ir::approx {
namespace {

using ::gradus::testing::BatchEvaluator;
using loop::Arena;
using loop::Expr;

constexpr size_t kBatch = 1024;

template <typename T>
constexpr DType kDTypeOf = std::is_same_v<T, float> ? DType::kF32 : DType::kF64;

// |got - want| in spacings of T at `want`; two values that overflow alike, or are both NaN, are 0
// apart.
template <typename T>
double UlpError(T got, long double want) {
  const T rounded = static_cast<T>(want);
  if (std::isnan(rounded)) return std::isnan(got) ? 0 : INFINITY;
  if (got == rounded && std::signbit(got) == std::signbit(rounded)) {
    if (std::isinf(rounded) || rounded == 0) return 0;
  } else if (!std::isfinite(got) || std::isinf(rounded) ||
             std::signbit(got) != std::signbit(rounded)) {
    return INFINITY;
  }
  int exponent = 0;
  std::frexp(want, &exponent);
  const int least = std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits;
  const int spacing = std::max(exponent - std::numeric_limits<T>::digits, least);
  return static_cast<double>(std::fabs(static_cast<long double>(got) - want) /
                             std::ldexp(1.0L, spacing));
}

// Every binade of T with both signs, the range where functions bend more densely, and the edges of
// the exponent range.
template <typename T>
std::vector<T> Samples() {
  using Bits = std::conditional_t<std::is_same_v<T, float>, uint32_t, uint64_t>;
  std::mt19937_64 random(20);
  auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  std::vector<T> samples;
  for (int i = 0; i < 30 * static_cast<int>(kBatch); ++i) {
    samples.push_back(std::bit_cast<T>(static_cast<Bits>(random() >> (64 - 8 * sizeof(T)))));
    samples.push_back(static_cast<T>((unit() - 0.5) * 4));
    samples.push_back(static_cast<T>((unit() - 0.5) * 40));
    samples.push_back(static_cast<T>((unit() - 0.5) * (sizeof(T) == 4 ? 210 : 1500)));
  }
  return samples;
}

struct Function {
  const char* name;
  Expr (*formula)(Expr);
  long double (*reference)(long double);
  double f32_bound, f64_bound;  // in units in the last place
  size_t f32_operations, f64_operations;
  double domain = std::numeric_limits<double>::infinity();  // |x| up to which the bounds hold
  bool has_tables = false;
};

void PrintTo(const Function& function, std::ostream* out) { *out << function.name; }

long double SigmoidReference(long double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

// The bounds and operation counts that approx.h states.
const Function kFunctions[] = {
    {"exp", Exp, std::exp, 1.0, 1.05, 21, 26},
    {"exp_by_table", Exp, std::exp, 1.0, 1.05, 20, 26, std::numeric_limits<double>::infinity(),
     true},
    {"expm1", Expm1, std::expm1, 1.44, 1.9, 22, 27},
    {"log", Log, std::log, 0.83, 0.83, 32, 35},
    {"log1p", Log1p, std::log1p, 1.4, 1.4, 34, 37},
    {"tanh", Tanh, std::tanh, 2.42, 2.6, 21, 26},
    {"sigmoid", Sigmoid, SigmoidReference, 2.5, 2.25, 18, 23},
    {"erf", Erf, std::erf, 1.1, 1.3, 33, 55},
    {"erf_by_table", Erf, std::erf, 1.1, 1.3, 46, 55, std::numeric_limits<double>::infinity(),
     true},
    {"sin", Sin, std::sin, 1.8, 2.5, 20, 24, 1e5},
    {"cos", Cos, std::cos, 1.8, 2.5, 20, 24, 1e5},
    {"rsqrt", Rsqrt, [](long double x) { return 1 / std::sqrt(x); }, 1.5, 1.5, 2, 2},
};

class ApproxTest : public ::testing::TestWithParam<Function> {
 protected:
  template <typename T>
  std::vector<T> Evaluate(const std::vector<T>& x) {
    Arena arena;
    arena.has_tables = GetParam().has_tables;
    const Expr y = GetParam().formula({arena, arena.Load(0, kDTypeOf<T>, {})});
    EXPECT_EQ(y.dtype(), kDTypeOf<T>);
    BatchEvaluator evaluator(arena, y.scalar(), kBatch);
    std::vector<T> result;
    for (size_t start = 0; start < x.size(); start += kBatch) {
      std::vector<T> batch(kBatch);
      const size_t count = std::min(kBatch, x.size() - start);
      std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(start), count, batch.begin());
      const T* const operand = batch.data();
      const auto values = evaluator.Run<T>({&operand, 1});
      result.insert(result.end(), values.begin(),
                    values.begin() + static_cast<std::ptrdiff_t>(count));
    }
    return result;
  }

  template <typename T>
  void ExpectAccurate(double bound) {
    const std::vector<T> samples = Samples<T>();
    ASSERT_GE(samples.size(), 100'000u);
    const std::vector<T> values = Evaluate(samples);
    double worst = -1;
    size_t worst_at = 0, tried = 0;
    for (size_t i = 0; i < samples.size(); ++i) {
      if (std::isfinite(samples[i]) && std::fabs(samples[i]) > GetParam().domain) continue;
      ++tried;
      const double error = UlpError(values[i], GetParam().reference(samples[i]));
      if (error > worst) {
        worst = error;
        worst_at = i;
      }
    }
    EXPECT_GT(tried, samples.size() / 2);
    EXPECT_LE(worst, bound) << std::hexfloat << GetParam().name << "(" << samples[worst_at]
                            << ") gives " << values[worst_at];
  }

  template <typename T>
  void ExpectSpecialValues() {
    using Limits = std::numeric_limits<T>;
    const T inf = Limits::infinity();
    const std::vector<T> specials{T{0},
                                  -T{0},
                                  T{1},
                                  T{-1},
                                  inf,
                                  -inf,
                                  Limits::quiet_NaN(),
                                  Limits::denorm_min(),
                                  -Limits::denorm_min(),
                                  Limits::min(),
                                  -Limits::min(),
                                  Limits::max(),
                                  Limits::lowest(),
                                  std::nextafter(T{-1}, T{0}),
                                  std::nextafter(T{-1}, T{-2}),
                                  Limits::epsilon(),
                                  -Limits::epsilon()};
    const std::vector<T> values = Evaluate(specials);
    for (size_t i = 0; i < specials.size(); ++i) {
      if (std::isfinite(specials[i]) && std::fabs(specials[i]) > GetParam().domain) continue;
      const double bound = sizeof(T) == 4 ? GetParam().f32_bound : GetParam().f64_bound;
      EXPECT_LE(UlpError(values[i], GetParam().reference(specials[i])), bound)
          << std::hexfloat << GetParam().name << "(" << specials[i] << ") gives " << values[i];
    }
  }

  size_t Operations(DType dtype) {
    Arena arena;
    arena.has_tables = GetParam().has_tables;
    const Expr y = GetParam().formula({arena, arena.Load(0, dtype, {})});
    return BatchEvaluator(arena, y.scalar(), 1).operation_count();
  }
};

TEST_P(ApproxTest, IsAccurateInF32) { ExpectAccurate<float>(GetParam().f32_bound); }
TEST_P(ApproxTest, IsAccurateInF64) { ExpectAccurate<double>(GetParam().f64_bound); }
TEST_P(ApproxTest, SpecialValues) {
  ExpectSpecialValues<float>();
  ExpectSpecialValues<double>();
}

// Formulas stand inline in every kernel that uses them: a longer one costs compile time everywhere.
TEST_P(ApproxTest, OperationCount) {
  EXPECT_LE(Operations(DType::kF32), GetParam().f32_operations);
  EXPECT_LE(Operations(DType::kF64), GetParam().f64_operations);
}

// The arena folds a formula of a constant to the number that native code computes.
TEST_P(ApproxTest, ConstantFoldingAgrees) {
  const std::vector<double> inputs{0.0, -0.0, 0.3, -0.7, 1.0, 5.5, -20.25};
  const std::vector<double> values = Evaluate(inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    Arena arena;
    arena.has_tables = GetParam().has_tables;
    const Expr y = GetParam().formula({arena, arena.Float(DType::kF64, inputs[i])});
    if (std::isnan(values[i])) continue;
    ASSERT_EQ(y.scalar()->kind, loop::ScalarKind::kConst) << inputs[i];
    EXPECT_EQ(std::bit_cast<uint64_t>(y.scalar()->number), std::bit_cast<uint64_t>(values[i]))
        << inputs[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Functions, ApproxTest, ::testing::ValuesIn(kFunctions),
                         [](const auto& function) { return std::string(function.param.name); });

template <typename T>
std::vector<T> EvaluatePow(const std::vector<T>& x, const std::vector<T>& y) {
  Arena arena;
  const DType dtype = kDTypeOf<T>;
  const Expr power = Pow({arena, arena.Load(0, dtype, {})}, {arena, arena.Load(1, dtype, {})});
  BatchEvaluator evaluator(arena, power.scalar(), x.size());
  const T* const operands[] = {x.data(), y.data()};
  const auto values = evaluator.Run<T>(operands);
  return {values.begin(), values.end()};
}

template <typename T>
void ExpectPowAccurate(double bound) {
  std::mt19937_64 random(21);
  auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  const double range = std::numeric_limits<T>::max_exponent;
  std::vector<T> x, y;
  for (int i = 0; i < 25'000; ++i) {
    const double exponent = (unit() - 0.5) * 2 * range;
    x.push_back(static_cast<T>(std::exp2(exponent)));  // results from underflow to overflow
    y.push_back(static_cast<T>((unit() - 0.5) * 2.1 * range / exponent));
    x.push_back(static_cast<T>(1 + (unit() - 0.5) * 0.01));  // where the logarithm cancels
    y.push_back(static_cast<T>((unit() - 0.5) * 200 * range));
    x.push_back(static_cast<T>(unit() * 4));
    y.push_back(static_cast<T>((unit() - 0.5) * 20));
    x.push_back(static_cast<T>((unit() - 0.5) * 20));
    y.push_back(static_cast<T>(std::round((unit() - 0.5) * 40)));
  }
  const std::vector<T> values = EvaluatePow(x, y);
  for (size_t i = 0; i < x.size(); ++i) {
    const long double want =
        std::pow(static_cast<long double>(x[i]), static_cast<long double>(y[i]));
    ASSERT_LE(UlpError(values[i], want), bound)
        << std::hexfloat << "pow(" << x[i] << ", " << y[i] << ") gives " << values[i];
  }
}

TEST(PowTest, IsAccurate) {
  ExpectPowAccurate<float>(0.51);
  ExpectPowAccurate<double>(1.0);
}

template <typename T>
std::vector<T> PowSpecials() {
  using Limits = std::numeric_limits<T>;
  const T big_odd = static_cast<T>(sizeof(T) == 4 ? 16777215.0 : 9007199254740991.0);
  std::vector<T> all{Limits::quiet_NaN()};
  for (const T v :
       {T{0}, T{1}, T{2}, T{3}, T{0.5}, T{2.5}, T(0.1), T(0.999), T(1.001), big_odd, big_odd + 1,
        Limits::infinity(), Limits::denorm_min(), Limits::min(), Limits::max()}) {
    all.push_back(v);
    all.push_back(-v);
  }
  return all;
}

// Every pair, against C's pow, which follows annex F.
template <typename T>
void ExpectPowSpecials() {
  std::vector<T> x, y;
  for (const T a : PowSpecials<T>()) {
    for (const T b : PowSpecials<T>()) {
      x.push_back(a);
      y.push_back(b);
    }
  }
  const std::vector<T> values = EvaluatePow(x, y);
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_LE(UlpError(values[i], std::pow(x[i], y[i])), 1.0)
        << std::hexfloat << "pow(" << x[i] << ", " << y[i] << ") gives " << values[i];
  }
}

TEST(PowTest, SpecialValues) {
  ExpectPowSpecials<float>();
  ExpectPowSpecials<double>();
}

// An exponent known at compile time takes a short cut, with the same special cases.
TEST(PowTest, KnownExponents) {
  for (const double exponent : {0.0, -0.0, 1.0, 2.0, 3.0, -1.0, 0.5, -0.5, -2.0, 1.7}) {
    Arena arena;
    const Expr x{arena, arena.Load(0, DType::kF64, {})};
    const Expr power = Pow(x, x.Const(exponent));
    const bool is_short = exponent != -2.0 && exponent != 1.7;
    const std::vector<double> inputs = PowSpecials<double>();
    BatchEvaluator evaluator(arena, power.scalar(), inputs.size());
    EXPECT_EQ(evaluator.operation_count() <= 6, is_short) << exponent;
    const double* const operand = inputs.data();
    const auto values = evaluator.Run<double>({&operand, 1});
    for (size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_LE(UlpError(values[i], std::pow(inputs[i], exponent)), 1.5)
          << std::hexfloat << "pow(" << inputs[i] << ", " << exponent << ") gives " << values[i];
    }
  }
}

// Where the reduction of sin and cos has no bits left the result means nothing, but stays a sine.
TEST(TrigTest, StaysBoundedFarOut) {
  for (const auto formula : {Sin, Cos}) {
    Arena arena;
    const Expr y = formula({arena, arena.Load(0, DType::kF32, {})});
    std::vector<float> x;
    for (float v = 1e5f; std::isfinite(v); v *= 1.01f) x.push_back(v);
    BatchEvaluator evaluator(arena, y.scalar(), x.size());
    const float* const operand = x.data();
    for (const float v : evaluator.Run<float>({&operand, 1})) ASSERT_LE(std::fabs(v), 1.0f);
  }
}

}  // namespace
}  // namespace gradus::ir::approx
