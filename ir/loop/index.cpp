#include "ir/loop/index.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "absl/container/flat_hash_map.h"
#include "fmt/format.h"
#include "ir/check.h"
#include "ir/loop/scalar.h"

namespace gradus::loop {
namespace {

int64_t FloorDivide(int64_t a, int64_t b) {
  int64_t q = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}

int IdOf(const Variable* v) { return v == nullptr ? -1 : v->id(); }

// The order of terms: constants first, then by variable, then by symbols.
bool Before(const Term& a, const Term& b) {
  if (a.variable != b.variable) return IdOf(a.variable) < IdOf(b.variable);
  return std::lexicographical_compare(a.symbols.begin(), a.symbols.end(), b.symbols.begin(),
                                      b.symbols.end());
}

std::optional<int64_t> CheckedAdd(std::optional<int64_t> a, std::optional<int64_t> b) {
  int64_t sum = 0;
  if (!a || !b || __builtin_add_overflow(*a, *b, &sum)) return std::nullopt;
  return sum;
}

std::optional<int64_t> CheckedMul(std::optional<int64_t> a, int64_t b) {
  int64_t product = 0;
  if (!a || __builtin_mul_overflow(*a, b, &product)) return std::nullopt;
  return product;
}

Index FromTerm(const Term& t) {
  Extent scale;
  scale.scale = t.coefficient;
  scale.symbols = t.symbols;
  return t.variable == nullptr ? Index::Of(scale) : Index(t.variable).Times(scale);
}

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
      *simpler = form - FromTerm(mod) - FromTerm(div) + mod.variable->numerator().Times(scale);
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

Index Simplify(Index form) {
  if (!HasKind(form, Variable::Kind::kMod) || !HasKind(form, Variable::Kind::kFloorDiv)) {
    return form;
  }
  Index simpler;
  while (Recombine(form, &simpler)) form = simpler;
  return form;
}

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
        form = form - FromTerm(high) - FromTerm(t) + whole.Times(scale);
        changed = true;
        break;
      }
      if (changed) break;
    }
  }
  return form;
}

void AddLoopVariables(const Index& form, absl::InlinedVector<const Variable*, 4>* out) {
  for (const Term& t : form.terms()) {
    if (t.variable == nullptr) continue;
    if (t.variable->kind() != Variable::Kind::kLoop) {
      AddLoopVariables(t.variable->numerator(), out);
    } else if (std::find(out->begin(), out->end(), t.variable) == out->end()) {
      out->push_back(t.variable);
    }
  }
}

// Bounds of a variable as numbers.
Bounds RangeOf(const Variable& v) {
  switch (v.kind()) {
    case Variable::Kind::kLoop:
      if (!v.extent().is_number()) return {0, std::nullopt};
      return {0, std::max<int64_t>(v.extent().number() - 1, 0)};
    case Variable::Kind::kMod: return {0, v.divisor() - 1};
    case Variable::Kind::kFloorDiv: {
      Bounds b = Range(v.numerator());
      if (b.low) b.low = FloorDivide(*b.low, v.divisor());
      if (b.high) b.high = FloorDivide(*b.high, v.divisor());
      return b;
    }
  }
  return {};
}

// The least value of `form`, or nullopt. Loop variables of symbolic extent that lower it are put at
// their last value first, so that symbols may cancel: B - i - 1 >= 0 for i in 0..B.
std::optional<int64_t> LowerBound(Index form) {
  for (bool again = true; again;) {
    again = false;
    for (const Term& t : form.terms()) {
      if (t.variable == nullptr || t.coefficient > 0) continue;
      if (t.variable->kind() != Variable::Kind::kLoop) continue;
      const Extent& extent = t.variable->extent();
      if (extent.is_number() || extent.divisor != 1) continue;
      Extent scale;
      scale.scale = t.coefficient;
      scale.symbols = t.symbols;
      form = form - FromTerm(t) + (Index::Of(extent) - Index(1)).Times(scale);
      again = true;
      break;
    }
  }
  std::optional<int64_t> low = 0;
  for (const Term& t : form.terms()) {
    const Bounds b = t.variable == nullptr ? Bounds{1, 1} : RangeOf(*t.variable);
    std::optional<int64_t> least = CheckedMul(t.coefficient > 0 ? b.low : b.high, t.coefficient);
    if (!t.symbols.empty()) {  // times something >= 0
      if (!least || *least < 0) return std::nullopt;
      least = 0;
    }
    low = CheckedAdd(low, least);
    if (!low) return std::nullopt;
  }
  return low;
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
                             ? FloorDivide(t.coefficient, g)
                             : (t.coefficient % g == 0 ? t.coefficient / g : 0);
      low.coefficient -= high.coefficient * g;
      if (high.coefficient != 0) multiples = multiples + FromTerm(high);
      if (low.coefficient != 0) others = others + FromTerm(low);
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

Symbols Product(const Symbols& a, const Symbols& b) {
  Symbols product = a;
  product.insert(product.end(), b.begin(), b.end());
  std::sort(product.begin(), product.end());
  return product;
}

Extent::Extent(const ir::Dim& dim) {
  if (dim.is_symbol()) {
    scale = 1;
    symbols.push_back(dim.symbol());
  } else {
    scale = dim.size();
  }
}

Extent operator*(const Extent& a, const Extent& b) {
  IR_CHECK(a.divisor == 1 && b.divisor == 1);
  Extent product;
  if (__builtin_mul_overflow(a.scale, b.scale, &product.scale)) product.scale = INT64_MAX;
  if (product.scale != 0) product.symbols = Product(a.symbols, b.symbols);
  return product;
}

Extent CeilDiv(const Extent& a, int64_t divisor) {
  IR_CHECK(divisor > 0 && a.scale >= 0);
  if (a.is_number()) return a.scale / divisor + (a.scale % divisor != 0 ? 1 : 0);
  Extent e = a;  // ceil(ceil(x / p) / q) = ceil(x / (p * q))
  e.divisor *= divisor;
  const int64_t g = std::gcd(e.scale, e.divisor);
  e.scale /= g;
  e.divisor /= g;
  return e;
}

std::string ToString(const Extent& e) {
  if (e.is_number()) return fmt::format("{}", e.scale);
  std::string text = e.scale == 1 ? "" : fmt::format("{}", e.scale);
  for (const Symbol& s : e.symbols) {
    if (!text.empty()) text += '*';
    text += s.name();
  }
  return e.divisor == 1 ? text : fmt::format("ceil({}/{})", text, e.divisor);
}

Index::Index(int64_t constant) {
  if (constant != 0) terms_.push_back({nullptr, {}, constant});
}

Index::Index(const Variable* variable) {
  IR_CHECK(variable != nullptr);
  terms_.push_back({variable, {}, 1});
}

Index Index::Of(const Extent& extent) {
  IR_CHECK(extent.divisor == 1);
  Index form;
  if (extent.scale != 0) form.terms_.push_back({nullptr, extent.symbols, extent.scale});
  return form;
}

void Index::Add(const Term& t) {
  auto at = std::lower_bound(terms_.begin(), terms_.end(), t, Before);
  if (at == terms_.end() || Before(t, *at)) {
    if (t.coefficient != 0) terms_.insert(at, t);
    return;
  }
  at->coefficient += t.coefficient;
  if (at->coefficient == 0) terms_.erase(at);
}

bool Index::is_constant() const {
  return terms_.empty() ||
         (terms_.size() == 1 && terms_[0].variable == nullptr && terms_[0].symbols.empty());
}

int64_t Index::constant() const {
  // Constants come first, and no symbols before any.
  if (terms_.empty() || terms_[0].variable != nullptr || !terms_[0].symbols.empty()) return 0;
  return terms_[0].coefficient;
}

int64_t Index::coefficient(const Variable* v) const {
  int64_t found = 0;
  for (const Term& t : terms_) {
    if (t.variable != v) continue;
    IR_CHECK_MSG(t.symbols.empty(), "a stride that is a number");
    found = t.coefficient;
  }
  return found;
}

bool Index::depends_on(const Variable* v) const {
  for (const Term& t : terms_) {
    if (t.variable == v && v != nullptr) return true;
    if (t.variable != nullptr && t.variable->kind() != Variable::Kind::kLoop &&
        t.variable->numerator().depends_on(v)) {
      return true;
    }
  }
  return false;
}

Index Index::operator+(const Index& o) const {
  Index sum = *this;
  for (const Term& t : o.terms_) sum.Add(t);
  return Simplify(std::move(sum));
}

Index Index::operator-(const Index& o) const {
  Index difference = *this;
  for (const Term& t : o.terms_) {
    Term negated = t;
    negated.coefficient = -t.coefficient;
    difference.Add(negated);
  }
  return Simplify(std::move(difference));
}

Index Index::operator*(int64_t factor) const {
  if (factor == 0) return {};
  Index product = *this;
  for (Term& t : product.terms_) t.coefficient *= factor;
  return product;
}

Index Index::Times(const Extent& factor) const {
  IR_CHECK(factor.divisor == 1);
  if (factor.is_number()) return *this * factor.number();
  Index product;
  for (const Term& t : terms_) {
    product.Add({t.variable, Product(t.symbols, factor.symbols), t.coefficient * factor.scale});
  }
  return product;
}

absl::InlinedVector<const Variable*, 4> LoopVariables(const Index& form) {
  absl::InlinedVector<const Variable*, 4> all;
  AddLoopVariables(form, &all);
  std::sort(all.begin(), all.end(),
            [](const Variable* a, const Variable* b) { return a->id() < b->id(); });
  return all;
}

Bounds Range(const Index& form) {
  Bounds bounds;
  bounds.low = LowerBound(form);
  bounds.high = CheckedMul(LowerBound(form * -1), -1);
  return bounds;
}

DivModResult DivMod(Arena& arena, const Index& form, int64_t divisor) {
  IR_CHECK_MSG(divisor > 0, "a positive divisor");
  if (divisor == 1) return {form, Index()};
  const Index joined = JoinRemainders(arena, form);
  if (Within(joined, 0, divisor)) return {Index(), joined};
  Index multiples, rest;
  for (const Term& t : joined.terms()) {
    // A number splits by floor; a coefficient toward zero, so that the rest's keeps its sign.
    Term high = t, low = t;
    high.coefficient = t.variable == nullptr && t.symbols.empty()
                           ? FloorDivide(t.coefficient, divisor)
                           : t.coefficient / divisor;
    low.coefficient -= high.coefficient * divisor;
    if (high.coefficient != 0) multiples = multiples + FromTerm(high);
    if (low.coefficient != 0) rest = rest + FromTerm(low);
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
      result = result + FromTerm(t);
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

absl::InlinedVector<Extent, 4> Strides(const ir::Shape& shape) {
  absl::InlinedVector<Extent, 4> strides(static_cast<size_t>(shape.rank()), Extent(1));
  for (int axis = shape.rank() - 2; axis >= 0; --axis) {
    const auto i = static_cast<size_t>(axis);
    strides[i] = strides[i + 1] * Extent(shape[axis + 1]);
  }
  return strides;
}

Index Flatten(std::span<const Index> indices, const ir::Shape& shape) {
  IR_CHECK(static_cast<int>(indices.size()) == shape.rank());
  const absl::InlinedVector<Extent, 4> strides = Strides(shape);
  Index flat;
  for (size_t i = 0; i < indices.size(); ++i) flat = flat + indices[i].Times(strides[i]);
  return flat;
}

std::string ToString(const Index& form) {
  if (form.terms().empty()) return "0";
  std::string text;
  auto append = [&](const Term& t) {
    const int64_t magnitude = std::abs(t.coefficient);
    if (!text.empty()) {
      text += t.coefficient < 0 ? " - " : " + ";
    } else if (t.coefficient < 0) {
      text += '-';
    }
    std::string product;
    if (magnitude != 1 || (t.variable == nullptr && t.symbols.empty())) {
      product = fmt::format("{}", magnitude);
    }
    for (const Symbol& s : t.symbols) {
      if (!product.empty()) product += '*';
      product += s.name();
    }
    if (t.variable != nullptr) {
      const bool atom = t.variable->kind() != Variable::Kind::kLoop;
      const bool alone = product.empty() && form.terms().size() == 1;
      std::string name = t.variable->name();
      if (atom) {
        const Index& n = t.variable->numerator();
        const bool simple = n.terms().size() == 1 && n.terms()[0].coefficient == 1 &&
                            n.terms()[0].symbols.empty() && n.terms()[0].variable != nullptr &&
                            n.terms()[0].variable->kind() == Variable::Kind::kLoop;
        name = fmt::format("{}{}{}", simple ? ToString(n) : "(" + ToString(n) + ")",
                           t.variable->kind() == Variable::Kind::kFloorDiv ? "/" : " mod ",
                           t.variable->divisor());
        if (!alone) name = "(" + name + ")";
      }
      if (!product.empty()) product += '*';
      product += name;
    }
    text += product;
  };
  for (const Term& t : form.terms()) {
    if (t.variable != nullptr) append(t);
  }
  for (const Term& t : form.terms()) {
    if (t.variable == nullptr) append(t);
  }
  return text;
}

}  // namespace gradus::loop
