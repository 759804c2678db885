// What an op promises where calculus leaves a choice, and what must not overflow: ties, joints,
// zeros, empty axes, logits of a thousand.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/ops/composite.h"
#include "ir/ops/contraction.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"
#include "ir/ops/movement.h"
#include "ir/ops/pooling.h"
#include "ir/ops/reduction.h"
#include "passes/autodiff.h"
#include "tests/ops/executors.h"

namespace gradus::test {
namespace {

using ir::Value;
using Vector = std::vector<double>;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Array F64(Vector values) {
  const auto n = static_cast<int64_t>(values.size());
  return {DType::kF64, {n}, std::move(values)};
}

using BuildFn = std::function<Value(const std::vector<Value>&)>;

// Runs a function of vectors by the default pipeline. `gradient_of` >= 0: the gradient of the
// result's sum in that operand.
Vector Values(const std::vector<Array>& operands, const BuildFn& build, int gradient_of = -1) {
  ir::Module m("conventions");
  ir::Function& f = m.AddFunction("f");
  std::vector<Value> arguments;
  for (const Array& a : operands) {
    ir::Shape shape;
    for (const int64_t s : a.shape) shape.push_back(s);
    arguments.push_back(f.AddArgument("x" + std::to_string(arguments.size()), {a.dtype, shape}));
  }
  Value result = build(arguments);
  EXPECT_FALSE(f.error()) << f.error()->ToString();
  if (f.error()) return {};
  if (gradient_of >= 0) {
    const Value wanted = arguments[static_cast<size_t>(gradient_of)];
    const Value sum = result.rank() == 0 ? result : ir::reduce_sum(result);
    auto gradients = passes::Gradients(sum, {&wanted, 1});
    EXPECT_TRUE(gradients.ok()) << gradients.status();
    if (!gradients.ok()) return {};
    result = (*gradients)[0];
  }
  f.AddResult(result);
  auto executor = Executor::Create(m, "default");
  EXPECT_TRUE(executor.ok()) << executor.status();
  if (!executor.ok()) return {};
  auto got = executor->Run("f", operands);
  EXPECT_TRUE(got.ok()) << got.status();
  return got.ok() ? (*got)[0].values : Vector{};
}
Vector Gradient(const std::vector<Array>& operands, const BuildFn& build, int of = 0) {
  return Values(operands, build, of);
}

template <typename F>
BuildFn Unary(F f) {
  return [f](const std::vector<Value>& x) { return f(x[0]); };
}
template <typename F>
BuildFn Binary(F f) {
  return [f](const std::vector<Value>& x) { return f(x[0], x[1]); };
}

TEST(Conventions, MaximumAndMinimumShareATieInHalves) {
  const std::vector<Array> operands = {F64({1, 2, 3}), F64({1, 5, 0})};
  const BuildFn maximum = Binary([](Value a, Value b) { return ir::maximum(a, b); });
  const BuildFn minimum = Binary([](Value a, Value b) { return ir::minimum(a, b); });
  EXPECT_EQ(Gradient(operands, maximum, 0), (Vector{0.5, 0, 1}));
  EXPECT_EQ(Gradient(operands, maximum, 1), (Vector{0.5, 1, 0}));
  EXPECT_EQ(Gradient(operands, minimum, 0), (Vector{0.5, 1, 0}));
  EXPECT_EQ(Gradient(operands, minimum, 1), (Vector{0.5, 0, 1}));
}

TEST(Conventions, ReducedExtremaShareATieEqually) {
  const auto max = Unary([](Value x) { return ir::reduce_max(x); });
  const auto min = Unary([](Value x) { return ir::reduce_min(x); });
  EXPECT_EQ(Gradient({F64({3, 1, 3, 3, 3})}, max), (Vector{0.25, 0, 0.25, 0.25, 0.25}));
  EXPECT_EQ(Gradient({F64({3, 1, 1})}, min), (Vector{0, 0.5, 0.5}));
}

TEST(Conventions, GradientsAtJoints) {
  const std::vector<Array> x = {F64({-1, -0.0, 0, 2})};
  EXPECT_EQ(Gradient(x, Unary([](Value v) { return ir::abs(v); })), (Vector{-1, 0, 0, 1}));
  EXPECT_EQ(Gradient(x, Unary([](Value v) { return ir::relu(v); })), (Vector{0, 0, 0, 1}));
  EXPECT_EQ(Gradient(x, Unary([](Value v) { return ir::leaky_relu(v, 0.25); })),
            (Vector{0.25, 0.25, 0.25, 1}));
  EXPECT_EQ(Gradient(x, Unary([](Value v) { return ir::clip(v, 0, 1); })), (Vector{0, 1, 1, 0}));
  EXPECT_EQ(Gradient({F64({0})}, Unary([](Value v) { return ir::softplus(v); })), (Vector{0.5}));
  EXPECT_EQ(Gradient({F64({1000, -1000})}, Unary([](Value v) { return ir::elu(v); })),
            (Vector{1, 0}));
}

TEST(Conventions, SoftplusIsSmoothAtZero) {
  const auto slope = Unary([](Value x) {
    const Value sum = ir::reduce_sum(ir::softplus(x));
    return passes::Gradients(sum, {&x, 1}).value()[0];
  });
  EXPECT_EQ(Gradient({F64({0})}, slope), (Vector{0.25}));
}

TEST(Conventions, PowAtZero) {
  const auto pow = Binary([](Value a, Value b) { return ir::pow(a, b); });
  EXPECT_EQ(Gradient({F64({0, 0, 0, -2}), F64({0, 1, 2, 3})}, pow, 0), (Vector{0, 1, 0, 12}));
  EXPECT_EQ(Gradient({F64({0, 0, -2}), F64({1, 2, 3})}, pow, 1), (Vector{0, 0, 0}));
  // A constant exponent needs no gradient, and none may spoil the base's.
  EXPECT_EQ(Gradient({F64({0, -3})}, Unary([](Value a) { return ir::pow(a, 2); })),
            (Vector{0, -6}));
}

TEST(Conventions, ProductsWithZeros) {
  const auto product = Unary([](Value x) { return ir::reduce_prod(x); });
  EXPECT_EQ(Gradient({F64({2, 3, 4})}, product), (Vector{12, 8, 6}));
  EXPECT_EQ(Gradient({F64({2, 0, 4})}, product), (Vector{0, 8, 0}));
  EXPECT_EQ(Gradient({F64({0, 0, 4})}, product), (Vector{0, 0, 0}));
}

TEST(Conventions, ReductionsOfNothing) {
  const Array empty{DType::kF64, {0}, {}};
  EXPECT_EQ(Values({empty}, Unary([](Value x) { return ir::reduce_sum(x); })), (Vector{0}));
  EXPECT_EQ(Values({empty}, Unary([](Value x) { return ir::reduce_prod(x); })), (Vector{1}));
  EXPECT_EQ(Values({empty}, Unary([](Value x) { return ir::reduce_max(x); })), (Vector{-kInf}));
  EXPECT_EQ(Values({empty}, Unary([](Value x) { return ir::reduce_min(x); })), (Vector{kInf}));
  const Array no_integers{DType::kI32, {0}, {}};
  EXPECT_EQ(Values({no_integers}, Unary([](Value x) { return ir::reduce_max(x); })),
            (Vector{-0x1p31}));
  EXPECT_EQ(Values({no_integers}, Unary([](Value x) { return ir::reduce_min(x); })),
            (Vector{0x1p31 - 1}));
}

TEST(Conventions, NanIsTheMaximum) {
  const Vector values = {1, 5, kNan, 7, kNan};
  EXPECT_TRUE(
      std::isnan(Values({F64(values)}, Unary([](Value x) { return ir::reduce_max(x); }))[0]));
  EXPECT_TRUE(
      std::isnan(Values({F64(values)}, Unary([](Value x) { return ir::reduce_min(x); }))[0]));
  EXPECT_EQ(Values({F64(values)}, Unary([](Value x) { return ir::argmax(x, 0); })), (Vector{2}));
}

TEST(Conventions, LogsumexpOfInfinities) {
  const auto lse = Unary([](Value x) { return ir::logsumexp(x, {}); });
  EXPECT_EQ(Values({F64({-kInf, -kInf})}, lse), (Vector{-kInf}));
  EXPECT_EQ(Values({F64({1, kInf})}, lse), (Vector{kInf}));
  EXPECT_EQ(Values({F64({-kInf, 3})}, lse), (Vector{3}));
}

TEST(Conventions, LogitsOfAThousand) {
  const std::vector<Array> binary = {F64({1, 0, 1, 0}), F64({1000, 1000, -1000, -1000})};
  const auto bce =
      Binary([](Value t, Value x) { return ir::binary_crossentropy_from_logits(t, x); });
  EXPECT_EQ(Values(binary, bce), (Vector{500}));
  EXPECT_EQ(Gradient(binary, bce, 1), (Vector{0, 0.25, -0.25, 0}));
  const auto cce =
      Binary([](Value t, Value x) { return ir::categorical_crossentropy_from_logits(t, x); });
  EXPECT_EQ(Values({F64({0, 1, 0}), F64({1000, -1000, 0})}, cce), (Vector{2000}));
  EXPECT_EQ(Gradient({F64({0, 1, 0}), F64({1000, -1000, 0})}, cce, 1), (Vector{1, -1, 0}));
  const Array target{DType::kI64, {}, {1}};
  const auto sparse = Binary(
      [](Value t, Value x) { return ir::sparse_categorical_crossentropy_from_logits(t, x); });
  EXPECT_EQ(Values({target, F64({1000, -1000, 0})}, sparse), (Vector{2000}));
  EXPECT_EQ(Gradient({target, F64({1000, -1000, 0})}, sparse, 1), (Vector{1, -1, 0}));
}

// A network that is sure and wrong must be able to learn: clipping must not stop its gradient.
TEST(Conventions, LossesOfSigmoidAndSoftmaxAreThoseOfTheirLogits) {
  const std::vector<Array> binary = {F64({1, 0, 1, 0}), F64({1000, 1000, -1000, -1000})};
  const auto bce =
      Binary([](Value t, Value x) { return ir::binary_crossentropy(t, ir::sigmoid(x)); });
  EXPECT_EQ(Values(binary, bce), (Vector{500}));
  EXPECT_EQ(Gradient(binary, bce, 1), (Vector{0, 0.25, -0.25, 0}));
  const auto cce =
      Binary([](Value t, Value x) { return ir::categorical_crossentropy(t, ir::softmax(x)); });
  EXPECT_EQ(Values({F64({0, 1, 0}), F64({1000, -1000, 0})}, cce), (Vector{2000}));
  EXPECT_EQ(Gradient({F64({0, 1, 0}), F64({1000, -1000, 0})}, cce, 1), (Vector{1, -1, 0}));
  const Array target{DType::kI64, {}, {1}};
  const auto sparse = Binary(
      [](Value t, Value x) { return ir::sparse_categorical_crossentropy(t, ir::softmax(x)); });
  EXPECT_EQ(Values({target, F64({1000, -1000, 0})}, sparse), (Vector{2000}));
  EXPECT_EQ(Gradient({target, F64({1000, -1000, 0})}, sparse, 1), (Vector{1, -1, 0}));
}

// Along another axis than the classes' a softmax is any number to the loss.
TEST(Conventions, LossesLookAtTheAxisOfASoftmax) {
  const auto cce =
      Binary([](Value t, Value x) { return ir::categorical_crossentropy(t, ir::softmax(x, 0)); });
  const Array x{DType::kF64, {2, 2}, {0, 0, 0, std::log(3.0)}};
  const Array t{DType::kF64, {2, 2}, {1, 0, 0, 1}};
  EXPECT_NEAR(Values({t, x}, cce)[0], (std::log(2.0) - std::log(0.75)) / 2, 1e-12);
}

TEST(Conventions, SmallBinaryLossesKeepTheirDigits) {
  const auto bce =
      Binary([](Value t, Value x) { return ir::binary_crossentropy_from_logits(t, x); });
  EXPECT_NEAR(Values({F64({1}), F64({40})}, bce)[0] / std::exp(-40.0), 1, 1e-12);
}

TEST(Conventions, ClippedProbabilitiesHaveNoGradient) {
  const auto bce = Binary([](Value t, Value p) { return ir::binary_crossentropy(t, p); });
  EXPECT_EQ(Gradient({F64({1, 0}), F64({0, 1})}, bce, 1), (Vector{0, 0}));
  EXPECT_NEAR(Values({F64({1}), F64({0})}, bce)[0], -std::log(1e-7), 1e-9);
}

TEST(Conventions, GradientsPassThroughCastsOfFloats) {
  const auto there_and_back =
      Unary([](Value x) { return ir::cast(ir::cast(x, DType::kF32), DType::kF64); });
  EXPECT_EQ(Gradient({F64({1, 2})}, there_and_back), (Vector{1, 1}));
  const auto by_integer =
      Unary([](Value x) { return ir::cast(ir::cast(x, DType::kI32), DType::kF64); });
  EXPECT_EQ(Gradient({F64({1, 2})}, by_integer), (Vector{0, 0}));
}

TEST(Conventions, GradientOfAValueUsedManyTimes) {
  const auto f = Unary([](Value x) {
    const Value t = ir::mul(x, x);
    return ir::add(ir::mul(t, t), t);
  });
  EXPECT_EQ(Gradient({F64({1, 2})}, f), (Vector{4 + 2, 32 + 4}));
}

// Windows [3, 3], [3, 1], [1, 2], ...: a tie's gradient goes to the first, as in Keras and PyTorch.
TEST(Conventions, MaxPoolGivesTheGradientToTheFirstMaximum) {
  const auto pool = [](const std::vector<Value>& x) {
    const Value column = ir::reshape(x[0], {x[0].shape()[0], 1});
    return ir::max_pool(column, {.window = {2}, .strides = {1}});
  };
  EXPECT_EQ(Values({F64({3, 3, 1, 2})}, pool), (Vector{3, 3, 2}));
  EXPECT_EQ(Gradient({F64({3, 3, 1, 2})}, pool), (Vector{1, 1, 0, 1}));
  EXPECT_EQ(Gradient({F64({3, 3, 3, 3})}, pool), (Vector{1, 1, 1, 0}));
  const Vector with_nan = Values({F64({1, kNan, 2, kNan})}, pool);
  EXPECT_TRUE(std::isnan(with_nan[0]) && std::isnan(with_nan[1]) && std::isnan(with_nan[2]));
  EXPECT_EQ(Gradient({F64({1, kNan, 2, 4})}, pool), (Vector{0, 2, 0, 1}));
}

// Padding is never the maximum, nor takes a gradient; nor does a mean count it unless asked.
TEST(Conventions, PoolingLeavesPaddingOut) {
  const ir::PoolingOptions padded{.window = {3}, .strides = {3}, .low = {1}, .high = {1}};
  const auto column = [](const std::vector<Value>& x) {
    return ir::reshape(x[0], {x[0].shape()[0], 1});
  };
  const auto largest = [&](const std::vector<Value>& x) { return ir::max_pool(column(x), padded); };
  EXPECT_EQ(Values({F64({-3, -2, -5, -7})}, largest), (Vector{-2, -5}));
  EXPECT_EQ(Gradient({F64({-3, -2, -5, -7})}, largest), (Vector{0, 1, 1, 0}));
  EXPECT_EQ(Values({F64({-kInf, -kInf, 1, 2})}, largest), (Vector{-kInf, 2}));
  const auto mean = [&](bool counted) -> BuildFn {
    return [&, counted](const std::vector<Value>& x) {
      return ir::average_pool(column(x), padded, counted);
    };
  };
  EXPECT_EQ(Values({F64({3, 6, 9, 12})}, mean(false)), (Vector{4.5, 10.5}));
  EXPECT_EQ(Values({F64({3, 6, 9, 12})}, mean(true)), (Vector{3, 7}));
}

}  // namespace
}  // namespace gradus::test
