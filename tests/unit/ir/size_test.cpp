#include "ir/loop/size.h"

#include <random>

#include "gtest/gtest.h"

namespace gradus::loop {
namespace {

const Extent kB{ir::Dim(ir::Symbol("B"))};
const Extent kT{ir::Dim(ir::Symbol("T"))};

SizeOf At(int64_t b, int64_t t) {
  return [=](Symbol s) { return s.name() == "B" ? b : t; };
}

Polynomial Sum(std::initializer_list<SizeTerm> terms) {
  Polynomial p;
  for (const SizeTerm& t : terms) AddTo(p, t);
  return p;
}

TEST(Size, Prints) {
  EXPECT_EQ(ToString(Sum({{64, {}}, {1024, {kB}}, {64, {}}})), "128 + 1024*B");
  EXPECT_EQ(ToString(Sum({{1, {kB, kT}}})), "B*T");
  EXPECT_EQ(ToString(Polynomial()), "0");
  Maximum m(Sum({{64, {}}}));
  EXPECT_EQ(ToString(m), "64");
  m.Raise(Sum({{4, {kB}}}));
  EXPECT_EQ(ToString(m), "max(64, 4*B)");
  EXPECT_EQ(ToString(Maximum()), "0");
}

TEST(Size, WhatIsKnownToBeAtLeast) {
  const SizeTerm lines{64, {CeilDiv(Extent(4) * kB, 64)}};  // 64 * ceil(4*B/64)
  EXPECT_TRUE(IsAtLeast(Sum({{64, {kB}}}), Sum({lines})));
  EXPECT_TRUE(IsAtLeast(Sum({lines}), Sum({{4, {kB}}})));
  EXPECT_FALSE(IsAtLeast(Sum({lines}), Sum({{5, {kB}}})));
  EXPECT_FALSE(IsAtLeast(Sum({{60, {kB}}}), Sum({lines})));  // B = 1
  EXPECT_TRUE(IsAtLeast(Sum({{64, {}}, {8, {kB}}}), Sum({{8, {kB}}})));
  EXPECT_FALSE(IsAtLeast(Sum({{64, {kB}}}), Sum({{64, {}}})));  // B = 0
  EXPECT_FALSE(IsAtLeast(Sum({{64, {kB, kT}}}), Sum({{64, {kB}}})));
}

TEST(Size, HugeSizesStop) {
  EXPECT_EQ(ValueAt(SizeTerm{int64_t{1} << 40, {kB, kT}}, At(1 << 30, 1 << 30)), kHuge);
}

class Random {
 public:
  Polynomial Any() {
    Polynomial p;
    for (int i = Number(0, 3); i > 0; --i) {
      SizeTerm t{Number(0, 200), {}};
      if (Number(0, 2) > 0) {
        const Extent factor = Extent(Number(1, 9)) * (Number(0, 1) == 0 ? kB : kT);
        t.factors.push_back(Number(0, 1) == 0 ? factor : CeilDiv(factor, Number(1, 70)));
      }
      AddTo(p, t);
    }
    return p;
  }
  int Number(int from, int to) { return std::uniform_int_distribution(from, to)(random_); }

 private:
  std::mt19937 random_{7};
};

TEST(Size, AtLeastHoldsForAllSymbols) {
  Random random;
  int known = 0;
  for (int i = 0; i < 4000; ++i) {
    const Polynomial a = random.Any(), b = random.Any();
    if (!IsAtLeast(a, b)) continue;
    ++known;
    for (int k = 0; k < 20; ++k) {
      const SizeOf at = At(random.Number(0, 40), random.Number(0, 40));
      EXPECT_GE(ValueAt(a, at), ValueAt(b, at)) << ToString(a) << " and " << ToString(b);
    }
  }
  EXPECT_GT(known, 400);
}

TEST(Size, MaximumIsTheLargest) {
  Random random;
  for (int i = 0; i < 500; ++i) {
    std::vector<Polynomial> all;
    Maximum m;
    for (int k = random.Number(0, 9); k > 0; --k) {
      all.push_back(random.Any());
      m.Raise(all.back());
    }
    const SizeTerm term{random.Number(0, 99), {}};
    const Maximum more = m + term;
    Maximum limited = m;
    limited.Limit(2);
    EXPECT_LE(limited.sums().size(), 2U);
    for (int k = 0; k < 20; ++k) {
      const SizeOf at = At(random.Number(0, 40), random.Number(0, 40));
      int64_t largest = 0;
      for (const Polynomial& p : all) largest = std::max(largest, ValueAt(p, at));
      EXPECT_EQ(ValueAt(m, at), largest);
      EXPECT_EQ(ValueAt(more, at), largest + term.coefficient);
      EXPECT_GE(ValueAt(limited, at), largest);
    }
  }
}

TEST(Size, SumsAreJoinedWhereItCostsLeast) {
  Maximum m(Sum({{1'000'000, {}}}));
  m.Raise(Sum({{900'000, {}}, {1, {kB}}}));
  m.Raise(Sum({{1000, {kB}}}));
  m.Limit(2);
  EXPECT_EQ(ToString(m), "max(1000*B, 1000000 + B)");
  m.Limit(1);
  EXPECT_EQ(ToString(m), "1000*B + 1000000");
}

}  // namespace
}  // namespace gradus::loop
