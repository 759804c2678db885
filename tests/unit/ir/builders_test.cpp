// The builder functions of ir/ops as users call them: broadcasting, numbers as operands, Python's
// slices, sizes left to be inferred, numpy.matmul's promotions, where nodes are placed, and what
// errors say.

#include <gtest/gtest.h>

#include <algorithm>

#include "ir/module.h"
#include "ir/ops/composite.h"
#include "ir/ops/contraction.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"
#include "ir/ops/movement.h"
#include "ir/ops/random.h"
#include "ir/ops/structure.h"
#include "ir/registry.h"

namespace gradus::ir {
namespace {

constexpr Dim kBatch{Symbol("B")};
constexpr Dim kTime{Symbol("T")};

class Builders : public testing::Test {
 protected:
  Value Arg(Shape shape, DType dtype = DType::kF32) {
    return f_.AddArgument("x" + std::to_string(f_.num_args()), Type{dtype, std::move(shape)});
  }
  std::string Shown(Value v) {
    return v.is_poison() ? "poison: " + f_.error()->message : ToString(v.type());
  }
  std::string Error() { return f_.error() ? f_.error()->ToString() : "none"; }

  Module m_{"m"};
  Function& f_ = m_.AddFunction("f");
};

TEST_F(Builders, BroadcastFromTheRight) {
  EXPECT_EQ(Shown(add(Arg({kBatch, 32}), Arg({32}))), "f32[B, 32]");
  EXPECT_EQ(Shown(add(Arg({5, 1, 8}), Arg({5, 1}))), "f32[5, 5, 8]");
  EXPECT_EQ(Shown(mul(Arg({}), Arg({kBatch, kTime, 3}))), "f32[B, T, 3]");
  EXPECT_EQ(Shown(sub(Arg({1}), Arg({kBatch}))), "f32[B]");
  EXPECT_EQ(Shown(select(Arg({3}, DType::kI1), Arg({2, 1}), Arg({}))), "f32[2, 3]");
}

TEST_F(Builders, ShapesThatDoNotLineUpShowBothOperands) {
  const Value x = Arg({kBatch, 32});
  const Value y = Arg({kBatch, 48, 32});
  add(x, y);
  EXPECT_NE(Error().find("builders_test.cpp:"), std::string::npos) << Error();
  EXPECT_NE(Error().find("error: add: [B, 32] and [B, 48, 32] do not line up (2 axes, 3 axes)"),
            std::string::npos)
      << Error();
  EXPECT_NE(Error().find("x0 -> f32[B, 32]"), std::string::npos) << Error();
  EXPECT_NE(Error().find("x1 -> f32[B, 48, 32]"), std::string::npos) << Error();
  EXPECT_NE(Error().find("help: shapes line up from the right"), std::string::npos) << Error();
}

TEST_F(Builders, NumbersTakeTheOthersType) {
  const Value x = Arg({kBatch, 3}, DType::kF64);
  const Value doubled = 2 * x;
  EXPECT_EQ(Shown(doubled), "f64[B, 3]");
  EXPECT_EQ(doubled.node()->operand(0).node()->attr<double>("value"), 2);
  const Value i = Arg({4}, DType::kI32);
  const Value shifted = i + 7;
  EXPECT_EQ(Shown(shifted), "i32[4]");
  EXPECT_EQ(shifted.node()->operand(1).node()->attr<int64_t>("integer"), 7);
  EXPECT_EQ(Shown(select(less(x, 0), 0, x)), "f64[B, 3]");
}

TEST_F(Builders, AFloatConstantReadsAsItWasWritten) {
  const Value x = Arg({2});
  EXPECT_EQ((x * 0.1).node()->operand(1).node()->attr<double>("value"), 0.1);
  // The float nearest to a third has a shorter decimal than the double.
  EXPECT_EQ((x * (1.0 / 3)).node()->operand(1).node()->attr<double>("value"), 0.33333334);
}

TEST_F(Builders, ANumberThatAnIntegerCannotHoldIsRefused) {
  EXPECT_TRUE((Arg({4}, DType::kI32) * 0.5).is_poison());
  EXPECT_NE(Error().find("the number 0.5 is not one of i32"), std::string::npos) << Error();
}

TEST_F(Builders, NothingGivesNothing) {
  EXPECT_FALSE(relu(Value()));
  EXPECT_FALSE(add(Value(), Arg({2})));
  EXPECT_FALSE(matmul(Value(), Arg({2, 2})));
  EXPECT_FALSE(concat({Value(), Arg({2})}, 0));
  EXPECT_FALSE(mean_squared_error(Value(), Value()));
  EXPECT_FALSE(f_.error());
}

TEST_F(Builders, ErrorsAreSticky) {
  const Value bad = add(Arg({2}), Arg({3}));
  const std::string first = Error();
  ASSERT_TRUE(bad.is_poison());
  const Value x = Arg({2, 2});
  for (const Value v : {relu(bad),
                        matmul(bad, x),
                        matmul(x, bad),
                        reduce_mean(bad),
                        softmax(bad),
                        logsumexp(bad, {0}),
                        one_hot(bad, 3, DType::kF32),
                        concat({x, bad}, 0),
                        slice(bad, {}),
                        pad(bad, {1}, {1}),
                        reshape(bad, {6}),
                        expand_dims(bad, 0),
                        squeeze(bad, 0),
                        transpose(bad, {0}),
                        broadcast_to(bad, {2, 2}),
                        cast(bad, DType::kF64),
                        argmax(bad, 0),
                        count(bad),
                        variance(bad, {0}),
                        categorical_crossentropy(bad, x),
                        huber(x, bad),
                        sparse_categorical_crossentropy_from_logits(bad, x),
                        full_like(bad, 1)}) {
    EXPECT_TRUE(v.is_poison());
  }
  EXPECT_EQ(Error(), first);
}

TEST_F(Builders, CompositesStandWhereTheyWereCalled) {
  const Value x = Arg({4, 3});
  const int line = __LINE__ + 1;
  const Value y = softmax(x);
  for (const auto& node : f_.nodes()) {
    EXPECT_EQ(node->location().line, line) << node->op().name;
    EXPECT_EQ(*node->location().file, "builders_test.cpp");
  }
  EXPECT_EQ(Shown(y), "f32[4, 3]");
  EXPECT_FALSE(f_.location_override());
}

// --- movement
// --------------------------------------------------------------------------------------------------------

// What Python's slice takes of 0..n-1.
std::vector<int64_t> PythonSlice(int64_t n, int64_t begin, int64_t end, int64_t step) {
  const auto clamp = [&](int64_t i, int64_t low, int64_t high) {
    if (i < 0) i += n;
    return std::clamp(i, low, high);
  };
  std::vector<int64_t> taken;
  if (step > 0) {
    const int64_t last = end == kEnd ? n : clamp(end, 0, n);
    for (int64_t i = clamp(begin, 0, n); i < last; i += step) taken.push_back(i);
  } else {
    const int64_t last = end == kEnd ? -1 : clamp(end, -1, n - 1);
    for (int64_t i = begin == kEnd ? n - 1 : clamp(begin, -1, n - 1); i > last; i += step)
      taken.push_back(i);
  }
  return taken;
}

TEST_F(Builders, SlicesAreThoseOfPython) {
  for (const int64_t n : {0, 1, 5}) {
    const Value x = Arg({n});
    for (const int64_t step : {-3, -2, -1, 1, 2, 3}) {
      for (int64_t begin = -7; begin <= 7; ++begin) {
        for (int64_t end = -7; end <= 8; ++end) {
          const int64_t stop = end == 8 ? kEnd : end;
          const Value y = slice(x, {{.begin = begin, .end = stop, .step = step}});
          const std::vector<int64_t> want = PythonSlice(n, begin, stop, step);
          ASSERT_FALSE(y.is_poison())
              << n << " " << begin << ":" << stop << ":" << step << " " << Error();
          ASSERT_EQ(y.shape()[0].size(), static_cast<int64_t>(want.size()))
              << n << " " << begin << ":" << stop << ":" << step;
          if (want.empty()) continue;
          const int64_t first = y.node()->attr<IntList>("begin")[0];
          ASSERT_EQ(first == -1 ? n - 1 : first, want[0])
              << n << " " << begin << ":" << stop << ":" << step;
          if (want.size() > 1) {
            ASSERT_EQ(y.node()->attr<IntList>("step")[0], step);
          }
        }
      }
    }
  }
}

TEST_F(Builders, SliceKeepsOtherAxesAndReversesSymbolicOnes) {
  const Value x = Arg({kBatch, 5, 8});
  EXPECT_EQ(Shown(slice(x, {{}, {.begin = 1, .end = -1, .step = 2}, {.begin = kEnd, .step = -1}})),
            "f32[B, 2, 8]");
  EXPECT_EQ(Shown(slice(x, {{.begin = -1, .step = -1}})), "f32[B, 5, 8]");
  EXPECT_EQ(Shown(slice(x, {})), "f32[B, 5, 8]");
  EXPECT_TRUE(slice(x, {{.begin = 0, .end = 1}}).is_poison());
  EXPECT_NE(Error().find("axis 0 has the symbolic size B, of which a part cannot be taken"),
            std::string::npos)
      << Error();
}

TEST_F(Builders, SliceOfTooManyAxes) {
  EXPECT_TRUE(slice(Arg({5}), {{}, {}}).is_poison());
  EXPECT_NE(Error().find("begin has 2 entries for 1 axis"), std::string::npos) << Error();
}

TEST_F(Builders, SliceByHugeSteps) {
  for (const int64_t step : {INT64_MAX, INT64_MAX - 1})
    EXPECT_EQ(Shown(slice(Arg({5}), {{.begin = 1, .step = step}})), "f32[1]");
  for (const int64_t step : {INT64_MIN, -INT64_MAX})
    EXPECT_EQ(Shown(slice(Arg({5}), {{.begin = 3, .step = step}})), "f32[1]");
}

TEST_F(Builders, ReshapeInfersOneSize) {
  EXPECT_EQ(Shown(reshape(Arg({4, 6}), {3, -1})), "f32[3, 8]");
  EXPECT_EQ(Shown(reshape(Arg({kBatch, 4, 6}), {kBatch, -1})), "f32[B, 24]");
  EXPECT_EQ(Shown(reshape(Arg({kBatch, 4, 6}), {-1, 24})), "f32[B, 24]");
  EXPECT_EQ(Shown(reshape(Arg({0, 3}), {3, -1})), "f32[3, 0]");
  EXPECT_EQ(Shown(reshape(Arg({}), {-1})), "f32[1]");
  EXPECT_EQ(Shown(reshape(Arg({4, 6}), {5, -1})),
            "poison: reshape: size -1 in [5, -1] is negative");
}

TEST_F(Builders, ReshapeToTwoUnknownSizesIsRefused) {
  EXPECT_EQ(Shown(reshape(Arg({4, 6}), {-1, -1})),
            "poison: reshape: size -1 in [-1, -1] is negative");
}

TEST_F(Builders, AxesCountFromTheEnd) {
  const Value x = Arg({kBatch, 3, 4});
  EXPECT_EQ(Shown(expand_dims(x, -1)), "f32[B, 3, 4, 1]");
  EXPECT_EQ(Shown(expand_dims(x, 0)), "f32[1, B, 3, 4]");
  EXPECT_EQ(Shown(squeeze(expand_dims(x, 1), 1)), "f32[B, 3, 4]");
  EXPECT_EQ(Shown(transpose(x, {0, -1, -2})), "f32[B, 4, 3]");
  EXPECT_EQ(Shown(reduce_sum(x, {-1, 1})), "f32[B]");
  EXPECT_EQ(Shown(reduce_sum(x, {-1}, true)), "f32[B, 3, 1]");
  EXPECT_EQ(Shown(reduce_max(x)), "f32[]");
  EXPECT_EQ(Shown(reduce_mean(x, {0})), "f32[3, 4]");
  EXPECT_EQ(Shown(argmax(x, -1)), "i64[B, 3]");
  EXPECT_EQ(Shown(concat({x, Arg({kBatch, 3, 2})}, -1)), "f32[B, 3, 6]");
  EXPECT_EQ(Shown(reduce_sum(x, {3})),
            "poison: reduce_sum: axis 3 is out of range for [B, 3, 4] (3 axes)");
}

TEST_F(Builders, SqueezeOfASizeThatIsNotOneIsRefused) {
  EXPECT_EQ(Shown(squeeze(Arg({2, 3}), 0)),
            "poison: reshape: [2, 3] does not reshape to [3]: 6 elements, 3 wanted");
}

// --- products
// --------------------------------------------------------------------------------------------------------

TEST_F(Builders, MatmulAsInNumpy) {
  EXPECT_EQ(Shown(matmul(Arg({kBatch, 6}), Arg({6, 8}))), "f32[B, 8]");
  EXPECT_EQ(Shown(matmul(Arg({6}), Arg({6, 8}))), "f32[8]");
  EXPECT_EQ(Shown(matmul(Arg({kBatch, 6}), Arg({6}))), "f32[B]");
  EXPECT_EQ(Shown(matmul(Arg({6}), Arg({6}))), "f32[]");
  EXPECT_EQ(Shown(matmul(Arg({kBatch, kTime, 6}), Arg({6, 8}))), "f32[B, T, 8]");
  EXPECT_EQ(Shown(matmul(Arg({5, 1, 4, 6}), Arg({3, 6, 8}))), "f32[5, 3, 4, 8]");
  EXPECT_EQ(Shown(matmul(Arg({6}), Arg({3, 6, 8}))), "f32[3, 8]");
  EXPECT_EQ(Shown(matmul(Arg({kBatch, 4, 6}), Arg({kBatch, 6, 8}))), "f32[B, 4, 8]");
  EXPECT_EQ(Shown(matmul(Arg({2, 4, 6}), Arg({3, 6, 8}))),
            "poison: matmul: [2, 4, 6] times [3, 6, 8]: batch axis 0 differs (2, 3)");
}

TEST_F(Builders, MatmulByANumberIsRefused) {
  EXPECT_TRUE(matmul(Arg({2, 2}), 3).is_poison());
  EXPECT_NE(Error().find("a number is not a matrix"), std::string::npos) << Error();
}

TEST_F(Builders, SparseTargetsMustBeIntegers) {
  EXPECT_TRUE(sparse_categorical_crossentropy(Arg({4}), Arg({4, 3})).is_poison());
  EXPECT_NE(Error().find("targets are class numbers of i32 or i64, got f32[4]"), std::string::npos)
      << Error();
}

TEST_F(Builders, CallChecksItsArguments) {
  Function& callee = m_.AddFunction("g");
  callee.AddResult(neg(callee.AddArgument("a", {DType::kF32, {2}})));
  const Value good = Arg({2}), bad = Arg({3});
  EXPECT_EQ(Shown(call(f_, callee, {&good, 1})->result()), "f32[2]");
  EXPECT_EQ(call(f_, callee, {&bad, 1}), nullptr);
  EXPECT_NE(Error().find("call: argument 0 (%a) of @g is f32[2], got f32[3]"), std::string::npos)
      << Error();
}

TEST_F(Builders, RandomNumbersTakeNumbersAsKeys) {
  const Value seed = Arg({}, DType::kI64);
  EXPECT_EQ(Shown(random_normal(seed, 3, {DType::kF64, {kBatch, 2}})), "f64[B, 2]");
  EXPECT_EQ(Shown(random_uniform(Arg({}, DType::kF32), 3, {DType::kF32, {2}})),
            "poison: random_uniform: seed and stream are i64[], got f32[]");
}

// --- the registry
// ----------------------------------------------------------------------------------------------------

TEST(Registry, IsSortedAndFindsItsOps) {
  const auto ops = AllOps();
  EXPECT_TRUE(std::is_sorted(ops.begin(), ops.end(),
                             [](const OpDef* a, const OpDef* b) { return a->name < b->name; }));
  for (const OpDef* op : ops) EXPECT_EQ(FindOp(op->name), op);
  EXPECT_EQ(FindOp("nonsense"), nullptr);
  EXPECT_EQ(FindOp(""), nullptr);
}

TEST(Registry, KnowsWhatWasMeant) {
  EXPECT_EQ(ClosestOpName("matmull"), "matmul");
  EXPECT_EQ(ClosestOpName("tahn"), "tanh");
  EXPECT_EQ(ClosestOpName("transpos"), "transpose");
  EXPECT_EQ(ClosestOpName("reduce_summ"), "reduce_sum");
  EXPECT_EQ(ClosestOpName("zzzzzzzz"), "");
}

}  // namespace
}  // namespace gradus::ir
