#include "ir/ops/philox.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/ir/batch_evaluator.h"

namespace gradus::ir {
namespace {

using loop::Arena;
using loop::Expr;

Expr Integer(Arena& arena, uint64_t value) {
  return {arena, arena.Integer(DType::kI64, static_cast<int64_t>(value))};
}

// Known answers of the Random123 distribution (kat_vectors, philox4x32 10).
TEST(PhiloxTest, KnownAnswers) {
  struct Case {
    uint64_t counter, stream, seed;
    uint32_t words[4];
  };
  const Case cases[] = {
      {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {~0ull, ~0ull, ~0ull, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {0x85a308d3243f6a88,
       0x0370734413198a2e,
       0x299f31d0a4093822,
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const Case& c : cases) {
    Arena arena;
    const auto words =
        Philox(Integer(arena, c.counter), Integer(arena, c.stream), Integer(arena, c.seed));
    for (size_t i = 0; i < 4; ++i) {
      ASSERT_EQ(words[i].scalar()->kind, loop::ScalarKind::kConst);
      EXPECT_EQ(words[i].dtype(), DType::kI32);
      EXPECT_EQ(static_cast<uint32_t>(words[i].scalar()->integer), c.words[i]);
    }
  }
}

TEST(PhiloxTest, UniformEndsOfTheRange) {
  Arena arena;
  const Expr zero{arena, arena.Integer(DType::kI32, 0)},
      ones{arena, arena.Integer(DType::kI32, -1)};
  EXPECT_EQ(UniformFloat32(zero).scalar()->number, 0.0);
  EXPECT_EQ(UniformFloat32(ones).scalar()->number, 1.0 - 0x1p-24);
  EXPECT_EQ(UniformFloat64(zero, zero).scalar()->number, 0.0);
  EXPECT_EQ(UniformFloat64(ones, ones).scalar()->number, 1.0 - 0x1p-53);
  EXPECT_EQ(UniformFloat64(ones, zero).scalar()->number, 0x1p-27 - 0x1p-53);
}

// Over consecutive counters: mean and variance of the uniform distribution, within five standard
// errors.
TEST(PhiloxTest, UniformMoments) {
  constexpr size_t kCount = 1 << 16;
  Arena arena;
  const Expr counter{arena, arena.Load(0, DType::kI64, {})};
  const auto words = Philox(counter, Integer(arena, 7), Integer(arena, 42));
  testing::BatchEvaluator evaluator(arena, UniformFloat64(words[0], words[1]).scalar(), kCount);
  std::vector<double> counters(kCount);
  for (size_t i = 0; i < kCount; ++i) counters[i] = std::bit_cast<double>(uint64_t{i});
  const double* const operand = counters.data();
  double sum = 0, squares = 0;
  for (const double u : evaluator.Run<double>({&operand, 1})) {
    sum += u - 0.5;
    squares += (u - 0.5) * (u - 0.5);
  }
  EXPECT_LT(std::fabs(sum / kCount), 5 * std::sqrt(1.0 / 12 / kCount));
  EXPECT_LT(std::fabs(squares / kCount - 1.0 / 12), 5 * std::sqrt(1.0 / 180 / kCount));
}

}  // namespace
}  // namespace gradus::ir
