#include "ir/loop/scalar.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/loop/kernel.h"
#include "ir/loop/walk.h"

namespace gradus::loop {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const ir::Dim kB(ir::Symbol("B"));

class ScalarTest : public testing::Test {
 protected:
  const Scalar* Load(int buffer, std::vector<Index> indices, DType dtype = DType::kF32) {
    return arena_.Load(buffer, dtype, indices);
  }
  double Folded(ScalarKind kind, DType dtype, double a, double b) {
    const Scalar* s = arena_.Binary(kind, arena_.Float(dtype, a), arena_.Float(dtype, b));
    EXPECT_EQ(s->kind, ScalarKind::kConst);
    return s->number;
  }
  int64_t FoldedInt(ScalarKind kind, DType dtype, int64_t a, int64_t b) {
    const Scalar* s = arena_.Binary(kind, arena_.Integer(dtype, a), arena_.Integer(dtype, b));
    EXPECT_EQ(s->kind, ScalarKind::kConst);
    return s->integer;
  }
  Arena arena_;
  const Variable* i_ = arena_.NewVariable("i", 10);
  const Variable* k_ = arena_.NewVariable("k", 4);
  const Variable* b_ = arena_.NewVariable("b", Extent(kB));
  const Scalar* x_ = Load(0, {i_, k_});
  const Scalar* y_ = Load(1, {k_});
};

TEST_F(ScalarTest, AWalkSeesEachScalarOnce) {
  const Scalar* x = x_;
  std::vector<const Scalar*> powers = {x};
  for (int n = 0; n < 100; ++n) {
    x = arena_.Binary(ScalarKind::kMul, x, x);
    powers.insert(powers.begin(), x);
  }
  std::vector<const Scalar*> seen;
  ForEachReached(x, [&](const Scalar* s) { seen.push_back(s); });
  EXPECT_EQ(seen, powers);
}

TEST_F(ScalarTest, AWalkPassesByWhatItIsToldTo) {
  const Scalar* sum = arena_.Reduce(ReduceKind::kSum, {&k_, 1}, x_);
  const Scalar* product = arena_.Binary(ScalarKind::kMul, y_, sum);
  std::vector<const Scalar*> seen;
  const Scalar* roots[] = {product, y_};
  ForEachReached(std::span<const Scalar* const>(roots), [&](const Scalar* s) {
    seen.push_back(s);
    return s->kind != ScalarKind::kReduce;
  });
  EXPECT_EQ(seen, (std::vector<const Scalar*>{product, y_, sum}));
}

TEST_F(ScalarTest, EqualExpressionsAreOneNode) {
  EXPECT_EQ(Load(0, {i_, k_}), x_);
  EXPECT_NE(Load(0, {k_, i_}), x_);
  EXPECT_EQ(arena_.Binary(ScalarKind::kAdd, x_, y_), arena_.Binary(ScalarKind::kAdd, y_, x_));
  EXPECT_EQ(arena_.Binary(ScalarKind::kMul, x_, y_), arena_.Binary(ScalarKind::kMul, y_, x_));
  EXPECT_NE(arena_.Binary(ScalarKind::kMax, x_, y_), arena_.Binary(ScalarKind::kMax, y_, x_));
  EXPECT_NE(arena_.Binary(ScalarKind::kSub, x_, y_), arena_.Binary(ScalarKind::kSub, y_, x_));
  const Variable* sums[] = {k_};
  EXPECT_EQ(arena_.Reduce(ReduceKind::kSum, sums, x_), arena_.Reduce(ReduceKind::kSum, sums, x_));
  EXPECT_NE(arena_.Reduce(ReduceKind::kSum, sums, x_), arena_.Reduce(ReduceKind::kMax, sums, x_));
  EXPECT_NE(arena_.Float(DType::kF32, 0.0), arena_.Float(DType::kF32, -0.0));
}

TEST_F(ScalarTest, FreeVariables) {
  EXPECT_THAT(x_->free, testing::ElementsAre(i_, k_));
  EXPECT_TRUE(x_->depends_on(k_));
  const Variable* sums[] = {k_};
  const Scalar* sum =
      arena_.Reduce(ReduceKind::kSum, sums, arena_.Binary(ScalarKind::kMul, x_, y_));
  EXPECT_THAT(sum->free, testing::ElementsAre(i_));
  EXPECT_FALSE(sum->depends_on(k_));
  const Index quotient = DivMod(arena_, Index(i_) + 1, 3).quotient;
  EXPECT_THAT(Load(2, {quotient})->free, testing::ElementsAre(i_));
  const Condition c{Index(0), Index(i_) - 2, Index(5)};
  EXPECT_THAT(arena_.Guard({&c, 1}, y_)->free, testing::ElementsAre(i_, k_));
}

TEST_F(ScalarTest, FloatsFoldInTheirOwnFormat) {
  EXPECT_EQ(Folded(ScalarKind::kAdd, DType::kF32, 1, 1e-8), 1.0);
  EXPECT_NE(Folded(ScalarKind::kAdd, DType::kF64, 1, 1e-8), 1.0);
  EXPECT_EQ(Folded(ScalarKind::kDiv, DType::kF32, 1, 3), double{1.0F / 3.0F});
  EXPECT_EQ(Folded(ScalarKind::kMul, DType::kF32, 1e30, 1e30), kInf);
  EXPECT_TRUE(std::isnan(Folded(ScalarKind::kMax, DType::kF32, 1, NAN)));
  EXPECT_TRUE(std::isnan(Folded(ScalarKind::kMin, DType::kF32, NAN, 1)));
  EXPECT_EQ(arena_.Float(DType::kF32, 0.1)->number, double{0.1F});
  EXPECT_EQ(arena_.Unary(ScalarKind::kRoundEven, arena_.Float(DType::kF64, 2.5))->number, 2.0);
  EXPECT_EQ(arena_
                .Fma(arena_.Float(DType::kF32, 0.1), arena_.Float(DType::kF32, 10),
                     arena_.Float(DType::kF32, -1))
                ->number,
            double{std::fma(0.1F, 10.0F, -1.0F)});
}

TEST_F(ScalarTest, IntegersWrap) {
  EXPECT_EQ(FoldedInt(ScalarKind::kAdd, DType::kI32, INT32_MAX, 1), INT32_MIN);
  EXPECT_EQ(FoldedInt(ScalarKind::kMul, DType::kI64, INT64_MAX, 2), -2);
  EXPECT_EQ(FoldedInt(ScalarKind::kDiv, DType::kI32, 7, 0), 0);
  EXPECT_EQ(FoldedInt(ScalarKind::kDiv, DType::kI32, INT32_MIN, -1), INT32_MIN);
  EXPECT_EQ(FoldedInt(ScalarKind::kDiv, DType::kI64, -7, 2), -3);
  EXPECT_EQ(FoldedInt(ScalarKind::kShr, DType::kI32, -1, 28), 15);
  EXPECT_EQ(FoldedInt(ScalarKind::kShl, DType::kI32, 1, 31), INT32_MIN);
  EXPECT_EQ(arena_.Cast(DType::kI32, arena_.Float(DType::kF32, 1e20))->integer, INT32_MAX);
  EXPECT_EQ(arena_.Cast(DType::kI32, arena_.Float(DType::kF32, NAN))->integer, 0);
  EXPECT_EQ(arena_.Cast(DType::kI32, arena_.Float(DType::kF32, -1.9))->integer, -1);
  EXPECT_EQ(arena_.Bitcast(DType::kI32, arena_.Float(DType::kF32, 1))->integer, 0x3f800000);
  EXPECT_EQ(arena_.Bitcast(DType::kF64, arena_.Integer(DType::kI64, 0x3ff0000000000000))->number,
            1);
}

TEST_F(ScalarTest, OnlyExactIdentities) {
  const Scalar* one = arena_.Float(DType::kF32, 1);
  const Scalar* zero = arena_.Float(DType::kF32, 0);
  EXPECT_EQ(arena_.Binary(ScalarKind::kMul, x_, one), x_);
  EXPECT_EQ(arena_.Binary(ScalarKind::kDiv, x_, one), x_);
  EXPECT_EQ(arena_.Binary(ScalarKind::kSub, x_, zero), x_);
  EXPECT_NE(arena_.Binary(ScalarKind::kAdd, x_, zero), x_);    // -0 + 0 is 0
  EXPECT_NE(arena_.Binary(ScalarKind::kMul, x_, zero), zero);  // infinity
  EXPECT_EQ(arena_.Binary(ScalarKind::kAdd, x_, arena_.Float(DType::kF32, -0.0)), x_);
  EXPECT_EQ(arena_.Binary(ScalarKind::kDiv, x_, arena_.Float(DType::kF32, 4)),
            arena_.Binary(ScalarKind::kMul, x_, arena_.Float(DType::kF32, 0.25)));
  EXPECT_EQ(arena_.Binary(ScalarKind::kDiv, x_, arena_.Float(DType::kF32, 3))->kind,
            ScalarKind::kDiv);
  EXPECT_EQ(arena_.Select(arena_.Integer(DType::kI1, 1), x_, zero), x_);
  EXPECT_EQ(arena_.Unary(ScalarKind::kNeg, arena_.Unary(ScalarKind::kNeg, x_)), x_);
}

TEST_F(ScalarTest, FormsStayForms) {
  const Scalar* i = arena_.IndexValue(i_);
  const Scalar* four = arena_.Integer(DType::kI64, 4);
  EXPECT_EQ(arena_.Binary(ScalarKind::kAdd, arena_.Binary(ScalarKind::kMul, i, four), i),
            arena_.IndexValue(Index(i_) * 5));
  EXPECT_EQ(arena_.Binary(ScalarKind::kLt, i, arena_.Integer(DType::kI64, 10)),
            arena_.Integer(DType::kI1, 1));
  EXPECT_EQ(arena_.Binary(ScalarKind::kLt, i, four)->kind, ScalarKind::kLt);
  EXPECT_EQ(arena_.IndexValue(Index::Of(Extent(kB))), arena_.ExtentValue(Extent(kB)));
}

TEST_F(ScalarTest, GuardsThatRangeProvesAreDropped) {
  const Condition always{Index(0), Index(i_), Index(10)};
  EXPECT_EQ(arena_.Guard({&always, 1}, x_), x_);
  const Condition symbolic{Index(0), Index(b_), Index::Of(Extent(kB))};
  EXPECT_EQ(arena_.Guard({&symbolic, 1}, x_), x_);
  const Condition never{Index(0), Index(i_) + 10, Index(10)};
  EXPECT_EQ(arena_.Guard({&never, 1}, x_), arena_.Float(DType::kF32, 0));
  const Condition needed{Index(0), Index(i_) - 1, Index(10)};
  const Scalar* guard = arena_.Guard({&needed, 1}, x_);
  ASSERT_EQ(guard->kind, ScalarKind::kGuard);
  // Guard of guard is one guard; conditions on one form meet.
  const Condition narrower{Index(2), Index(i_) - 1, Index(12)};
  const Scalar* both = arena_.Guard({&narrower, 1}, guard);
  ASSERT_EQ(both->kind, ScalarKind::kGuard);
  EXPECT_EQ(both->operands[0], x_);
  ASSERT_EQ(both->conditions.size(), 1U);
  EXPECT_EQ(both->conditions[0], (Condition{Index(2), Index(i_) - 1, Index(10)}));
}

TEST_F(ScalarTest, ReductionsOverNothingAndOne) {
  const Variable* one = arena_.NewVariable("one", 1);
  const Variable* none = arena_.NewVariable("none", 0);
  const Variable* list[] = {one};
  EXPECT_EQ(arena_.Reduce(ReduceKind::kSum, list, Load(0, {one, k_})), Load(0, {Index(0), k_}));
  list[0] = none;
  EXPECT_EQ(arena_.Reduce(ReduceKind::kMax, list, x_), arena_.Float(DType::kF32, -kInf));
  EXPECT_EQ(arena_.Reduce(ReduceKind::kProd, list, x_), arena_.Float(DType::kF32, 1));
}

TEST_F(ScalarTest, SubstituteVariablesAndScalars) {
  const Variable* high = arena_.NewVariable("kh", 2);
  const Variable* low = arena_.NewVariable("kl", 2);
  const Variable* sums[] = {k_};
  const Scalar* sum =
      arena_.Reduce(ReduceKind::kSum, sums, arena_.Binary(ScalarKind::kMul, x_, y_));
  const Substitution split{k_, Index(high) * 2 + low};
  const Scalar* after = arena_.Substitute(sum, {&split, 1});
  ASSERT_EQ(after->kind, ScalarKind::kReduce);
  EXPECT_THAT(after->variables, testing::ElementsAre(high, low));
  EXPECT_THAT(after->free, testing::ElementsAre(i_));
  const Scalar* acc = arena_.Acc(DType::kF32, 0);
  const Scalar* bias = arena_.Binary(ScalarKind::kAdd, sum, y_);
  EXPECT_EQ(arena_.Substitute(bias, {}, {{sum, acc}}), arena_.Binary(ScalarKind::kAdd, acc, y_));
  // A guard that the substitution proves goes.
  const Condition c{Index(0), Index(i_) - 1, Index(10)};
  const Substitution shift{i_, Index(k_) + 1};
  EXPECT_EQ(arena_.Substitute(arena_.Guard({&c, 1}, x_), {&shift, 1}),
            Load(0, {Index(k_) + 1, k_}));
}

TEST_F(ScalarTest, DeepSharingStaysLinear) {
  const Scalar* x = x_;
  for (int n = 0; n < 5000; ++n) x = arena_.Binary(ScalarKind::kMul, x, x);
  const Substitution s{i_, Index(3)};
  const size_t before = arena_.scalars().size();
  EXPECT_NE(arena_.Substitute(x, {&s, 1}), x);
  EXPECT_LE(arena_.scalars().size(), before + 5001);
}

TEST_F(ScalarTest, MixedDtypesAreABug) {
  EXPECT_DEATH(arena_.Binary(ScalarKind::kAdd, x_, arena_.Float(DType::kF64, 1)), "one dtype");
  EXPECT_DEATH(arena_.Select(x_, x_, x_), "i1 condition");
}

// A kernel over x[10, 4] and y[4]: out[i] = sum of products, twice as out2.
class KernelTest : public testing::Test {
 protected:
  KernelTest() {
    auto add = [&](std::string name, ir::Shape shape, Buffer::Kind kind) {
      Buffer b;
      b.name = std::move(name);
      b.type = {DType::kF32, std::move(shape)};
      b.kind = kind;
      kernel_.buffers.push_back(b);
    };
    kernel_.name = "test";
    add("x", {10, 4}, Buffer::Kind::kInput);
    add("y", {10, 4}, Buffer::Kind::kInput);
    add("o", {10, 4}, Buffer::Kind::kOutput);
    kernel_.num_inputs = 2;
    kernel_.num_outputs = 1;
  }
  Arena& arena() { return *kernel_.arena; }
  const Scalar* Load(int buffer, std::vector<Index> at) {
    return arena().Load(buffer, DType::kF32, at);
  }
  void AddStore(int buffer, const Scalar* value) {
    Store s;
    s.buffer = buffer;
    s.indices = {Index(i_), Index(j_)};
    s.variables = {i_, j_};
    s.value = value;
    kernel_.stores.push_back(s);
  }
  Kernel kernel_;
  const Variable* i_ = arena().NewVariable("i", 10);
  const Variable* j_ = arena().NewVariable("j", 4);
  const Variable* k_ = arena().NewVariable("k", 10);
};

TEST_F(KernelTest, InPlaceWhereReadAtTheStoredIndex) {
  AddStore(2, arena().Binary(ScalarKind::kSub, Load(0, {i_, j_}), Load(1, {k_, j_})));
  EXPECT_TRUE(InPlaceSafe(kernel_, 0, 0));
  EXPECT_FALSE(InPlaceSafe(kernel_, 1, 0));
}

TEST_F(KernelTest, NotInPlaceWhereReducedShiftedOrReadLater) {
  const Variable* sums[] = {k_};
  AddStore(2,
           arena().Reduce(ReduceKind::kSum, sums,
                          arena().Binary(ScalarKind::kMul, Load(0, {i_, j_}), Load(1, {k_, j_}))));
  EXPECT_FALSE(InPlaceSafe(kernel_, 0, 0));
  kernel_.stores.clear();
  kernel_.buffers.push_back(kernel_.buffers[2]);
  kernel_.num_outputs = 2;
  AddStore(3, Load(0, {i_, j_}));
  AddStore(2, Load(1, {i_, j_}));
  EXPECT_TRUE(InPlaceSafe(kernel_, 1, 0));
  EXPECT_TRUE(InPlaceSafe(kernel_, 0, 0));   // o is written after x was read
  EXPECT_FALSE(InPlaceSafe(kernel_, 1, 1));  // y is read after o_1 was written
}

TEST_F(KernelTest, PrintsSharedNodesOnce) {
  const Variable* sums[] = {k_};
  const Scalar* x = Load(0, {i_, k_});  // operands are ordered by age: create them in a fixed order
  const Scalar* y = Load(1, {k_, j_});
  const Scalar* sum =
      arena().Reduce(ReduceKind::kSum, sums, arena().Binary(ScalarKind::kMul, x, y));
  const Scalar* t = arena().Binary(ScalarKind::kSub, sum, Load(0, {i_, j_}));
  const Scalar* u = arena().Binary(ScalarKind::kDiv, t, arena().Binary(ScalarKind::kMul, t, t));
  AddStore(2, arena().Binary(ScalarKind::kMax, u, arena().Float(DType::kF32, 0.1)));
  EXPECT_EQ(Print(kernel_), R"(loops @test(%x, %y, out %o) {
  %sum = sum k in 0..10 of %x[i, k] * %y[k, j]
  %t0 = %sum - %x[i, j]
  store %o[i, j] = max(%t0 / (%t0 * %t0), 0.1)  for i in 0..10, j in 0..4
}
)");
}

TEST_F(KernelTest, TextStaysLinearInTheDag) {
  const Scalar* x = Load(0, {i_, j_});
  for (int n = 0; n < 200; ++n) x = arena().Binary(ScalarKind::kMul, x, x);
  AddStore(2, x);
  EXPECT_LT(Print(kernel_).size(), 200U * 40U);
}

}  // namespace
}  // namespace gradus::loop
