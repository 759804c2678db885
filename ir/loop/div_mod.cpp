#include <algorithm>
#include <numeric>

#include "absl/container/flat_hash_map.h"
#include "ir/check.h"
#include "ir/loop/atoms.h"
#include "ir/loop/index.h"
#include "ir/loop/scalar.h"

namespace gradus::loop {

Index FormOf(const Term& t) {
  Extent scale;
  scale.scale = t.coefficient;
  scale.symbols = t.symbols;
  return t.variable == nullptr ? Index::Of(scale) : Index(t.variable).Times(scale);
}

int64_t FloorDiv(int64_t a, int64_t b) {
  int64_t q = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}

namespace {

// If `form` is 1 * floor(m / e) + other, floor(form / d) = floor((m + e * other) / (e * d)).
const Term* UnitFloorDiv(const Index& form) {
  for (const Term& t : form.terms()) {
    if (t.variable != nullptr && t.variable->kind() == Variable::Kind::kFloorDiv &&
        t.coefficient == 1 && t.symbols.empty()) {
      return &t;
    }
  }
  return nullptr;
}

struct Quotient {
  Index numerator;
  int64_t divisor;
};
Quotient WithoutNesting(Index numerator, int64_t divisor) {
  for (const Term* t = UnitFloorDiv(numerator); t != nullptr; t = UnitFloorDiv(numerator)) {
    const Variable* atom = t->variable;
    int64_t product = 0;
    if (__builtin_mul_overflow(divisor, atom->divisor(), &product)) break;
    numerator = (numerator - Index(atom)) * atom->divisor() + atom->numerator();
    divisor = product;
  }
  return {std::move(numerator), divisor};
}

// c*d * floor(n / d) + c * (n mod d) is c * n: finds such a pair of terms, or returns false.
bool Recombine(const Index& form, Index* simpler) {
  for (const Term& mod : form.terms()) {
    if (mod.variable == nullptr || mod.variable->kind() != Variable::Kind::kMod) continue;
    int64_t want = 0;
    if (__builtin_mul_overflow(mod.coefficient, mod.variable->divisor(), &want)) continue;
    const Quotient q = WithoutNesting(mod.variable->numerator(), mod.variable->divisor());
    for (const Term& div : form.terms()) {
      if (div.variable == nullptr || div.variable->kind() != Variable::Kind::kFloorDiv) continue;
      if (div.coefficient != want || div.symbols != mod.symbols) continue;
      if (div.variable->divisor() != q.divisor || div.variable->numerator() != q.numerator) {
        continue;
      }
      Extent scale;
      scale.scale = mod.coefficient;
      scale.symbols = mod.symbols;
      *simpler = form - FormOf(mod) - FormOf(div) + mod.variable->numerator().Times(scale);
      return true;
    }
  }
  return false;
}

bool HasKind(const Index& form, Variable::Kind kind) {
  return std::any_of(form.terms().begin(), form.terms().end(), [&](const Term& t) {
    return t.variable != nullptr && t.variable->kind() == kind;
  });
}

}  // namespace

Index RecombineAtoms(Index form) {
  if (!HasKind(form, Variable::Kind::kMod) || !HasKind(form, Variable::Kind::kFloorDiv)) {
    return form;
  }
  Index simpler;
  while (Recombine(form, &simpler)) form = simpler;
  return form;
}

namespace {

// c*e * ((m / e) mod d) + c * (m mod e) is c * (m mod e*d).
Index JoinRemainders(Arena& arena, Index form) {
  if (!HasKind(form, Variable::Kind::kMod)) return form;
  bool changed = true;
  while (changed) {
    changed = false;
    for (const Term& high : form.terms()) {
      if (high.variable == nullptr || high.variable->kind() != Variable::Kind::kMod) continue;
      const Index& n = high.variable->numerator();
      if (n.terms().size() != 1 || UnitFloorDiv(n) == nullptr) continue;
      const Variable* inner = n.terms()[0].variable;
      const int64_t e = inner->divisor();
      if (high.coefficient % e != 0) continue;
      const DivModResult low = DivMod(arena, inner->numerator(), e);
      for (const Term& t : form.terms()) {
        if (t.coefficient * e != high.coefficient || t.symbols != high.symbols) continue;
        if (t.variable == nullptr || !(low.remainder == Index(t.variable))) continue;
        Extent scale;
        scale.scale = t.coefficient;
        scale.symbols = t.symbols;
        const Index whole =
            DivMod(arena, inner->numerator(), e * high.variable->divisor()).remainder;
        form = form - FormOf(high) - FormOf(t) + whole.Times(scale);
        changed = true;
        break;
      }
      if (changed) break;
    }
  }
  return form;
}

bool Within(const Index& form, int64_t low, int64_t high) {  // low <= form < high
  const Bounds b = Range(form);
  return b.low && b.high && *b.low >= low && *b.high < high;
}

// Steps: 1. terms that are multiples of the divisor leave exactly. 2. A rest in [0, d) is the
// remainder. 3. If the rest is g * n + l with g dividing d and l in [0, g), divide n by d / g. 4.
// Nested atoms. 5. A new atom.
DivModResult DivModRest(Arena& arena, const Index& rest, int64_t d);

DivModResult SplitByFactor(Arena& arena, const Index& rest, int64_t d, bool* done) {
  absl::InlinedVector<int64_t, 4> factors;
  for (const Term& t : rest.terms()) {
    const int64_t g = std::gcd(t.coefficient, d);
    if (t.variable != nullptr && g > 1 &&
        std::find(factors.begin(), factors.end(), g) == factors.end()) {
      factors.push_back(g);
    }
  }
  std::sort(factors.begin(), factors.end(), std::greater<>());
  for (int64_t g : factors) {
    Index multiples, others;
    for (const Term& t : rest.terms()) {
      Term high = t, low = t;
      high.coefficient = t.variable == nullptr && t.symbols.empty()
                             ? FloorDiv(t.coefficient, g)
                             : (t.coefficient % g == 0 ? t.coefficient / g : 0);
      low.coefficient -= high.coefficient * g;
      if (high.coefficient != 0) multiples = multiples + FormOf(high);
      if (low.coefficient != 0) others = others + FormOf(low);
    }
    if (!Within(others, 0, g)) continue;
    *done = true;
    const DivModResult r = DivMod(arena, multiples, d / g);
    return {r.quotient, r.remainder * g + others};
  }
  *done = false;
  return {};
}

DivModResult DivModRest(Arena& arena, const Index& rest, int64_t d) {
  if (Within(rest, 0, d)) return {Index(), rest};
  bool done = false;
  DivModResult split = SplitByFactor(arena, rest, d, &done);
  if (done) return split;
  // (x mod a*d) / d = (x / d) mod a, and (x mod a*d) mod d = x mod d.
  if (rest.terms().size() == 1 && rest.terms()[0].coefficient == 1 &&
      rest.terms()[0].symbols.empty() && rest.terms()[0].variable != nullptr) {
    const Variable* v = rest.terms()[0].variable;
    if (v->kind() == Variable::Kind::kMod && v->divisor() % d == 0) {
      const DivModResult inner = DivMod(arena, v->numerator(), d);
      return {DivMod(arena, inner.quotient, v->divisor() / d).remainder, inner.remainder};
    }
  }
  DivModResult result;
  const Quotient q = WithoutNesting(rest, d);
  result.quotient = q.divisor == d ? Index(arena.InternAtom(Variable::Kind::kFloorDiv, rest, d))
                                   : DivMod(arena, q.numerator, q.divisor).quotient;
  const std::optional<int64_t> only = [&]() -> std::optional<int64_t> {
    if (result.quotient.is_constant()) return result.quotient.constant();
    return std::nullopt;
  }();
  result.remainder =
      only ? rest - Index(*only * d) : Index(arena.InternAtom(Variable::Kind::kMod, rest, d));
  return result;
}

}  // namespace

DivModResult DivMod(Arena& arena, const Index& form, int64_t divisor) {
  IR_CHECK_MSG(divisor > 0, "a positive divisor");
  if (divisor == 1) return {form, Index()};
  const Index joined = JoinRemainders(arena, form);
  if (Within(joined, 0, divisor)) return {Index(), joined};
  Index multiples, rest;
  for (const Term& t : joined.terms()) {
    // A number splits by floor; a coefficient toward zero, so that the rest's keeps its sign.
    Term high = t, low = t;
    high.coefficient = t.variable == nullptr && t.symbols.empty() ? FloorDiv(t.coefficient, divisor)
                                                                  : t.coefficient / divisor;
    low.coefficient -= high.coefficient * divisor;
    if (high.coefficient != 0) multiples = multiples + FormOf(high);
    if (low.coefficient != 0) rest = rest + FormOf(low);
  }
  const DivModResult r = DivModRest(arena, rest, divisor);
  return {multiples + r.quotient, r.remainder};
}

namespace {

using Replaced = absl::flat_hash_map<const Variable*, Index>;

Index SubstituteForm(Arena& arena, const Index& form, std::span<const Substitution> substitutions,
                     Replaced& memo) {
  Index result;
  for (const Term& t : form.terms()) {
    if (t.variable == nullptr) {
      result = result + FormOf(t);
      continue;
    }
    auto [at, is_new] = memo.try_emplace(t.variable);
    Index value = at->second;
    if (is_new) {
      value = Index(t.variable);
      const auto* s =
          std::find_if(substitutions.data(), substitutions.data() + substitutions.size(),
                       [&](const Substitution& x) { return x.from == t.variable; });
      if (s != substitutions.data() + substitutions.size()) {
        value = s->to;
      } else if (t.variable->kind() != Variable::Kind::kLoop) {
        const Index n = SubstituteForm(arena, t.variable->numerator(), substitutions, memo);
        if (!(n == t.variable->numerator())) {
          const DivModResult r = DivMod(arena, n, t.variable->divisor());
          value = t.variable->kind() == Variable::Kind::kFloorDiv ? r.quotient : r.remainder;
        }
      }
      memo[t.variable] = value;
    }
    Extent scale;
    scale.scale = t.coefficient;
    scale.symbols = t.symbols;
    result = result + value.Times(scale);
  }
  return result;
}

}  // namespace

Index Substitute(Arena& arena, const Index& form, std::span<const Substitution> substitutions) {
  if (substitutions.empty()) return form;
  Replaced memo;
  return SubstituteForm(arena, form, substitutions, memo);
}

}  // namespace gradus::loop
