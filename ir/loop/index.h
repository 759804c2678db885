#pragma once

// Index expressions: integer affine forms over loop variables, `sum(coefficient * variable) +
// constant`, where floor-divisions and remainders that do not simplify become variables of their
// own (atoms). They are the heart of scheduling: what is a window, a stride or a contraction is
// read from them.
//
// Coefficients are numbers, times symbols where the stride of an outermost axis is a run-time
// product ([B, T, C]).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "ir/type.h"

namespace gradus::loop {

using ir::Symbol;

// A product of symbols, sorted; empty: 1.
using Symbols = absl::InlinedVector<Symbol, 1>;
Symbols Product(const Symbols& a, const Symbols& b);

// A count known at call time: ceil(scale * product(symbols) / divisor). A number if there are no
// symbols.
struct Extent {
  int64_t scale = 0;
  Symbols symbols;
  int64_t divisor = 1;

  Extent() = default;
  Extent(int64_t number) : scale(number) {}  // NOLINT: extents are mostly numbers
  explicit Extent(const ir::Dim& dim);
  bool is_number() const { return symbols.empty(); }
  int64_t number() const { return scale; }  // only if is_number(); then divisor is 1
  bool operator==(const Extent&) const = default;
};
Extent operator*(const Extent& a, const Extent& b);  // requires both divisors 1
Extent CeilDiv(const Extent& a, int64_t divisor);
std::string ToString(const Extent& e);  // "128", "B", "34*B", "ceil(34*B/16)"

class Variable;
class Arena;

// One term of a form. `variable` is null in constant terms; at most one constant term a product of
// symbols.
struct Term {
  const Variable* variable = nullptr;
  Symbols symbols;
  int64_t coefficient = 0;
  bool operator==(const Term&) const = default;
};

class Index {
 public:
  Index() = default;
  Index(int64_t constant);                           // NOLINT: i + 1
  Index(int constant) : Index(int64_t{constant}) {}  // NOLINT
  Index(const Variable* variable);                   // NOLINT
  static Index Of(const Extent& extent);             // a symbolic number; requires divisor 1

  // Sorted by variable id (constants first), then symbols; no zero coefficients.
  std::span<const Term> terms() const { return {terms_.data(), terms_.size()}; }
  bool is_constant() const;  // a plain number
  int64_t constant() const;  // the term without variable and symbols
  // Coefficient of a variable; requires that it has one numeric coefficient or none (then 0).
  int64_t coefficient(const Variable* v) const;
  // Nothing where symbols multiply the variable.
  std::optional<int64_t> numeric_coefficient(const Variable* v) const;
  bool depends_on(const Variable* v) const;  // directly, or through an atom

  Index operator+(const Index& o) const;
  Index operator-(const Index& o) const;
  Index operator*(int64_t factor) const;
  Index Times(const Extent& factor) const;  // requires divisor 1
  bool operator==(const Index&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const Index& x) {
    for (const Term& t : x.terms_) {
      h = H::combine(std::move(h), t.variable, t.coefficient, t.symbols.size());
    }
    return h;
  }

 private:
  void Add(const Term& t);
  absl::InlinedVector<Term, 3> terms_;
};

// A loop variable that runs over [0, extent), or an atom: floor(numerator / divisor) or numerator
// mod divisor.
class Variable {
 public:
  enum class Kind : uint8_t { kLoop, kFloorDiv, kMod };
  const std::string& name() const { return name_; }
  int id() const { return id_; }  // order of creation in its arena
  Kind kind() const { return kind_; }
  const Extent& extent() const { return extent_; }       // of a loop variable
  const Index& numerator() const { return numerator_; }  // of an atom
  int64_t divisor() const { return divisor_; }

 private:
  friend class Arena;
  std::string name_;
  int id_ = 0;
  Kind kind_ = Kind::kLoop;
  Extent extent_;
  Index numerator_;
  int64_t divisor_ = 1;
};

// The loop variables that a form depends on, through atoms too, sorted by id.
absl::InlinedVector<const Variable*, 4> LoopVariables(const Index& form);

// Inclusive bounds; nullopt: not known as numbers (a symbol is involved). Symbols are >= 0.
struct Bounds {
  std::optional<int64_t> low, high;
};
Bounds Range(const Index& form);

// form / divisor and form mod divisor (floor, divisor > 0). Terms that are multiples of the divisor
// leave exactly; if the rest lies in [0, divisor) there is no atom; otherwise the arena interns
// one.
struct DivModResult {
  Index quotient, remainder;
};
DivModResult DivMod(Arena& arena, const Index& form, int64_t divisor);

// Replaces variables (atoms included, rebuilt) in a form.
struct Substitution {
  const Variable* from;
  Index to;
};
Index Substitute(Arena& arena, const Index& form, std::span<const Substitution> substitutions);

// Row-major strides of a shape. A symbolic size contributes its symbol to the strides of the axes
// before it.
absl::InlinedVector<Extent, 4> Strides(const ir::Shape& shape);
// sum(indices[k] * strides[k]).
Index Flatten(std::span<const Index> indices, const ir::Shape& shape);

std::string ToString(const Index& form);  // "16*i + k - 1", "(i + 3)/4"

}  // namespace gradus::loop
