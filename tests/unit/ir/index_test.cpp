#include "ir/loop/index.h"

#include <map>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/loop/scalar.h"

namespace gradus::loop {
namespace {

using Values = std::map<const Variable*, int64_t>;
using SymbolValues = std::map<std::string, int64_t>;

int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

// What a form is, by its definition.
int64_t Evaluate(const Index& form, const Values& values, const SymbolValues& symbols = {}) {
  int64_t sum = 0;
  for (const Term& t : form.terms()) {
    int64_t product = t.coefficient;
    for (const Symbol& s : t.symbols) product *= symbols.at(std::string(s.name()));
    if (t.variable != nullptr) {
      if (t.variable->kind() == Variable::Kind::kLoop) {
        product *= values.at(t.variable);
      } else {
        const int64_t n = Evaluate(t.variable->numerator(), values, symbols);
        const int64_t q = FloorDiv(n, t.variable->divisor());
        product *=
            t.variable->kind() == Variable::Kind::kFloorDiv ? q : n - q * t.variable->divisor();
      }
    }
    sum += product;
  }
  return sum;
}

bool HasAtom(const Index& form) {
  for (const Term& t : form.terms()) {
    if (t.variable != nullptr && t.variable->kind() != Variable::Kind::kLoop) return true;
  }
  return false;
}

const ir::Dim kB(ir::Symbol("B"));
const ir::Dim kT(ir::Symbol("T"));

TEST(Extent, PrintsAndDivides) {
  const Extent b(kB);
  EXPECT_EQ(ToString(Extent(128)), "128");
  EXPECT_EQ(ToString(b), "B");
  EXPECT_EQ(ToString(Extent(34) * b), "34*B");
  EXPECT_EQ(ToString(Extent(kT) * b), "B*T");
  EXPECT_EQ(ToString(CeilDiv(b, 16)), "ceil(B/16)");
  EXPECT_EQ(ToString(CeilDiv(Extent(34) * b, 16)), "ceil(17*B/8)");
  EXPECT_EQ(ToString(CeilDiv(Extent(32) * b, 16)), "2*B");
  EXPECT_EQ(CeilDiv(33, 16), Extent(3));
  EXPECT_EQ(CeilDiv(CeilDiv(b, 4), 4), CeilDiv(b, 16));
  EXPECT_TRUE((Extent(0) * b).is_number());
}

TEST(Index, KeepsTermsSortedAndWithoutZeros) {
  Arena arena;
  const Variable* i = arena.NewVariable("i", 8);
  const Variable* k = arena.NewVariable("k", 8);
  const Index a = Index(k) + 3 + Index(i) * 16;
  EXPECT_EQ(ToString(a), "16*i + k + 3");
  EXPECT_EQ(a.coefficient(i), 16);
  EXPECT_EQ(a.constant(), 3);
  EXPECT_EQ(ToString(a - Index(k) - 4), "16*i - 1");
  EXPECT_EQ(a - a, Index());
  EXPECT_TRUE((a - a).is_constant());
  EXPECT_EQ(ToString(Index(i) * -1), "-i");
  EXPECT_EQ(Index(i) + k, Index(k) + i);
  EXPECT_EQ(Index(i) * 0, Index(0));
}

TEST(Index, SymbolicCoefficients) {
  Arena arena;
  const Variable* i = arena.NewVariable("i", Extent(kB));
  const Index form = Index(i).Times(Extent(kT) * 128) + Index::Of(Extent(kT)) + 1;
  EXPECT_EQ(ToString(form), "128*T*i + 1 + T");
  EXPECT_EQ(form.constant(), 1);
  EXPECT_FALSE(form.is_constant());
  EXPECT_EQ(Evaluate(form, {{i, 3}}, {{"T", 5}}), 128 * 5 * 3 + 5 + 1);
}

TEST(Index, VariableNamesAreTheirOwn) {
  Arena arena;
  EXPECT_EQ(arena.NewVariable("i", 4)->name(), "i");
  EXPECT_EQ(arena.NewVariable("i", 5)->name(), "i_1");
  EXPECT_EQ(arena.NewVariable("i_1", 5)->name(), "i_1_1");
  EXPECT_EQ(arena.NewVariable("i", 5)->name(), "i_2");
}

TEST(Range, OfNumbersAndSymbols) {
  Arena arena;
  const Variable* i = arena.NewVariable("i", 10);
  const Variable* b = arena.NewVariable("b", Extent(kB));
  const Bounds r = Range(Index(i) * -2 + 3);
  EXPECT_EQ(r.low, -15);
  EXPECT_EQ(r.high, 3);
  EXPECT_EQ(Range(Index(b)).low, 0);
  EXPECT_EQ(Range(Index(b)).high, std::nullopt);
  // b < B, whatever B is.
  EXPECT_EQ(Range(Index::Of(Extent(kB)) - b).low, 1);
  EXPECT_EQ(Range(Index::Of(Extent(kB)) * 4 - Index(b) * 4 - Index(i)).low, 4 - 9);
  EXPECT_EQ(Range(Index(b) - Index::Of(Extent(kB))).high, -1);
  // A block variable may run past the end.
  const Variable* block = arena.NewVariable("block", CeilDiv(Extent(kB), 16));
  EXPECT_EQ(Range(Index::Of(Extent(kB)) - Index(block) * 16).low, std::nullopt);
}

TEST(DivMod, LeavesNoAtomWhereNoneIsNeeded) {
  Arena arena;
  const Variable* i = arena.NewVariable("i", 10);
  const Variable* k = arena.NewVariable("k", 4);
  const Variable* b = arena.NewVariable("b", Extent(kB));
  DivModResult r = DivMod(arena, Index(i) * 8 + Index(k) + 3, 8);
  EXPECT_EQ(ToString(r.quotient), "i");
  EXPECT_EQ(ToString(r.remainder), "k + 3");
  r = DivMod(arena, Index(b) * 12 + k, 4);
  EXPECT_EQ(ToString(r.quotient), "3*b");
  EXPECT_EQ(ToString(r.remainder), "k");
  r = DivMod(arena, Index(3) - k, 4);
  EXPECT_EQ(r.quotient, Index(0));
  EXPECT_EQ(ToString(r.remainder), "-k + 3");
  r = DivMod(arena, Index(-1), 4);
  EXPECT_EQ(r.quotient, Index(-1));
  EXPECT_EQ(r.remainder, Index(3));
  r = DivMod(arena, Index::Of(Extent(kT) * 12), 4);
  EXPECT_EQ(ToString(r.quotient), "3*T");
}

TEST(DivMod, InternsAtoms) {
  Arena arena;
  const Variable* i = arena.NewVariable("i", 10);
  DivModResult r = DivMod(arena, Index(i) + 3, 4);
  EXPECT_EQ(ToString(r.quotient), "(i + 3)/4");
  EXPECT_EQ(ToString(r.remainder), "(i + 3) mod 4");
  EXPECT_EQ(DivMod(arena, Index(i) + 7, 4).quotient, r.quotient + 1);
  EXPECT_EQ(r.quotient * 4 + r.remainder, Index(i) + 3);
  EXPECT_TRUE(r.quotient.depends_on(i));
  EXPECT_THAT(LoopVariables(r.quotient), testing::ElementsAre(i));
}

TEST(DivMod, NestedAtoms) {
  Arena arena;
  const Variable* i = arena.NewVariable("i", 240);
  const Index by4 = DivMod(arena, i, 4).quotient;
  EXPECT_EQ(DivMod(arena, by4, 3).quotient, DivMod(arena, i, 12).quotient);
  const Index mod12 = DivMod(arena, i, 12).remainder;
  EXPECT_EQ(DivMod(arena, mod12, 4).quotient, DivMod(arena, by4, 3).remainder);
  EXPECT_EQ(DivMod(arena, mod12, 4).remainder, DivMod(arena, i, 4).remainder);
  // A common factor leaves: (6*i + 2) / 12 = (3*i + 1) / 6 and 2*i/4 = i/2.
  EXPECT_EQ(DivMod(arena, Index(i) * 2, 4).quotient, DivMod(arena, i, 2).quotient);
  EXPECT_EQ(DivMod(arena, Index(i) * 2, 4).remainder, DivMod(arena, i, 2).remainder * 2);
}

TEST(DivMod, ReshapeThereAndBackIsTheIdentity) {
  Arena arena;
  const Variable* i = arena.NewVariable("i", 24);
  // [24] -> [2, 3, 4] -> [6, 4] -> [2, 12] -> [24].
  auto split = [&](const Index& flat, std::vector<int64_t> sizes) {
    std::vector<Index> indices(sizes.size());
    Index rest = flat;
    for (size_t axis = sizes.size() - 1; axis > 0; --axis) {
      const DivModResult r = DivMod(arena, rest, sizes[axis]);
      indices[axis] = r.remainder;
      rest = r.quotient;
    }
    indices[0] = rest;
    return indices;
  };
  auto join = [&](const std::vector<Index>& indices, std::vector<int64_t> sizes) {
    Index flat;
    for (size_t axis = 0; axis < sizes.size(); ++axis) flat = flat * sizes[axis] + indices[axis];
    return flat;
  };
  Index flat = i;
  for (const std::vector<int64_t>& sizes :
       {std::vector<int64_t>{2, 3, 4}, {6, 4}, {2, 12}, {4, 6}, {3, 8}, {24}}) {
    flat = join(split(flat, sizes), sizes);
    EXPECT_EQ(flat, Index(i)) << ToString(flat);
  }
}

TEST(Substitute, RebuildsAtoms) {
  Arena arena;
  const Variable* i = arena.NewVariable("i", 32);
  const Variable* high = arena.NewVariable("ih", 8);
  const Variable* low = arena.NewVariable("il", 4);
  const Index form = DivMod(arena, i, 4).quotient * 7 + DivMod(arena, i, 4).remainder;
  const Substitution s{i, Index(high) * 4 + low};
  EXPECT_EQ(ToString(Substitute(arena, form, {&s, 1})), "7*ih + il");
}

TEST(Flatten, RowMajor) {
  Arena arena;
  const Variable* i = arena.NewVariable("i", Extent(kB));
  const Variable* t = arena.NewVariable("t", Extent(kT));
  const Variable* j = arena.NewVariable("j", 34);
  const std::vector<Index> indices = {Index(i), Index(t), Index(j)};
  EXPECT_EQ(ToString(Flatten(indices, ir::Shape{kB, kT, 34})), "34*T*i + 34*t + j");
  EXPECT_EQ(ToString(Strides(ir::Shape{2, 3, 4})[0]), "12");
  EXPECT_TRUE(Flatten({}, ir::Shape{}) == Index());
}

// Random forms over small variables: everything agrees with evaluation at every point.
TEST(DivMod, AgreesWithEvaluationOnRandomForms) {
  std::mt19937 random(7);
  auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  int without_atom = 0;
  for (int round = 0; round < 500; ++round) {
    Arena arena;
    std::vector<const Variable*> variables;
    for (int v = 0; v < 3; ++v) {
      variables.push_back(arena.NewVariable("v", pick(1, 7)));
    }
    // A pool of forms that grows: later forms are made of earlier quotients and remainders.
    std::vector<Index> pool(variables.begin(), variables.end());
    std::vector<std::pair<Index, std::pair<Index, int64_t>>> quotients, remainders;
    for (int step = 0; step < 5; ++step) {
      Index form(pick(-9, 9));
      for (int n = 0; n < 2; ++n) {
        const auto& part =
            pool[static_cast<size_t>(pick(0, static_cast<int64_t>(pool.size()) - 1))];
        form = pick(0, 3) == 0 ? form - part * pick(1, 6) : form + part * pick(0, 12);
      }
      const int64_t d = pick(1, 12);
      const DivModResult r = DivMod(arena, form, d);
      without_atom += HasAtom(r.quotient) ? 0 : 1;
      quotients.push_back({r.quotient, {form, d}});
      remainders.push_back({r.remainder, {form, d}});
      pool.push_back(r.quotient);
      pool.push_back(r.remainder);
      pool.push_back(r.quotient * d + r.remainder);
    }
    // Substituting v2 by an affine form within its range, evaluated at the same point.
    const Variable* shifted = arena.NewVariable("w", 1);
    const Substitution s{variables[2], Index(variables[2]) + shifted};
    Values values;
    values[shifted] = 0;
    for (values[variables[0]] = 0; values[variables[0]] < variables[0]->extent().number();
         ++values[variables[0]]) {
      for (values[variables[1]] = 0; values[variables[1]] < variables[1]->extent().number();
           ++values[variables[1]]) {
        for (values[variables[2]] = 0; values[variables[2]] < variables[2]->extent().number();
             ++values[variables[2]]) {
          for (size_t n = 0; n < quotients.size(); ++n) {
            const auto& [form, d] = quotients[n].second;
            const int64_t value = Evaluate(form, values);
            ASSERT_EQ(Evaluate(quotients[n].first, values), FloorDiv(value, d))
                << ToString(form) << " / " << d << " = " << ToString(quotients[n].first);
            ASSERT_EQ(Evaluate(remainders[n].first, values), value - FloorDiv(value, d) * d)
                << ToString(form) << " mod " << d << " = " << ToString(remainders[n].first);
            const Bounds bounds = Range(form);
            ASSERT_LE(bounds.low.value(), value) << ToString(form);
            ASSERT_GE(bounds.high.value(), value) << ToString(form);
            const Index moved = Substitute(arena, quotients[n].first, {&s, 1});
            ASSERT_EQ(Evaluate(moved, values), FloorDiv(value, d));
          }
        }
      }
    }
  }
  EXPECT_GT(without_atom, 500);  // of 2,500: the simplification does happen
}

}  // namespace
}  // namespace gradus::loop
