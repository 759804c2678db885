#include "ir/loop/index.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "fmt/format.h"
#include "ir/check.h"
#include "ir/loop/atoms.h"

namespace gradus::loop {
namespace {

int IdOf(const Variable* v) { return v == nullptr ? -1 : v->id(); }

// The order of terms: constants first, then by variable, then by symbols.
bool Before(const Term& a, const Term& b) {
  if (a.variable != b.variable) return IdOf(a.variable) < IdOf(b.variable);
  return std::lexicographical_compare(a.symbols.begin(), a.symbols.end(), b.symbols.begin(),
                                      b.symbols.end());
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

std::optional<int64_t> Index::numeric_coefficient(const Variable* v) const {
  int64_t found = 0;
  for (const Term& t : terms_) {
    if (t.variable != v) continue;
    if (!t.symbols.empty()) return std::nullopt;
    found = t.coefficient;
  }
  return found;
}

int64_t Index::coefficient(const Variable* v) const {
  const std::optional<int64_t> found = numeric_coefficient(v);
  IR_CHECK_MSG(found.has_value(), "a stride that is a number");
  return *found;
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
  return RecombineAtoms(std::move(sum));
}

Index Index::operator-(const Index& o) const {
  Index difference = *this;
  for (const Term& t : o.terms_) {
    Term negated = t;
    negated.coefficient = -t.coefficient;
    difference.Add(negated);
  }
  return RecombineAtoms(std::move(difference));
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
