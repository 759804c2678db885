#include "passes/threads/work.h"

#include <algorithm>
#include <cmath>

#include "ir/loop/walk.h"

namespace gradus::passes {
namespace {

using loop::Extent;
using loop::Polynomial;
using loop::Scalar;
using loop::ScalarKind;
using loop::Symbols;
using loop::Variable;

// Units an element, from nests over arrays in the second-level cache (Zen 5, 512 bits, 250 units a
// ns): Adam's update, 14 operations, a root, a division, 4 loads and 3 stores, takes 0.5 ns an
// element; a sum over rows 0.07; the cell of an LSTM, 110 operations, 1.8.
constexpr double kAccess = 8;     // a load or store
constexpr double kGathered = 64;  // of one lane after the other
constexpr double kOperation = 4;
constexpr double kSlowOperation = 16;  // division, root
constexpr double kScalarCode = 8;      // times more where nothing is vectorised

double UnitsOf(const Scalar& s) {
  switch (s.kind) {
    case ScalarKind::kConst:
    case ScalarKind::kExtent:
    case ScalarKind::kAcc: return 0;
    case ScalarKind::kLoad: return kAccess;
    case ScalarKind::kGather: return kGathered;
    case ScalarKind::kDiv:
    case ScalarKind::kSqrt: return kSlowOperation;
    default: return kOperation;
  }
}

class Counter {
 public:
  // `units`, once for each step of the loops.
  template <typename Variables>
  void Add(double units, const Variables& loops) {
    Symbols symbols;
    for (const Variable* v : loops) {
      const Extent& e = v->extent();
      units *= static_cast<double>(e.scale) / static_cast<double>(e.divisor);
      symbols = loop::Product(symbols, e.symbols);
    }
    for (auto& [known, sum] : terms_) {
      if (known == symbols) {
        sum += units;
        return;
      }
    }
    terms_.emplace_back(symbols, units);
  }

  // Every scalar that the stores reach, once for each value of what it depends on.
  void AddStores(std::span<const loop::FlatStore> stores, std::span<const Variable* const> loops,
                 double factor) {
    std::vector<const Scalar*> roots;
    for (const loop::FlatStore& s : stores) {
      roots.push_back(s.value);
      Add(kAccess * factor, loops);
    }
    loop::ForEachReached(std::span<const Scalar* const>(roots), [&](const Scalar* s) {
      const double units = UnitsOf(*s);
      if (units == 0) return;
      // A reduction adds as often as there are values below it.
      Add(units * factor, s->kind == ScalarKind::kReduce ? s->operands[0]->free : s->free);
    });
  }

  Polynomial Finish() const {
    Polynomial sum;
    for (const auto& [symbols, units] : terms_) {
      loop::SizeTerm term{static_cast<int64_t>(std::ceil(std::min(units, 1e15))), {}};
      if (!symbols.empty()) {
        Extent product(1);
        product.symbols = symbols;
        term.factors.push_back(product);
      }
      if (term.coefficient > 0) sum.push_back(std::move(term));
    }
    return sum;
  }

 private:
  std::vector<std::pair<Symbols, double>> terms_;
};

void Count(const loop::Nest& nest, Counter& counter) {
  const bool scalar_code = nest.vector == nullptr && nest.vector_reductions.empty();
  counter.AddStores(nest.stores, nest.loops, scalar_code ? kScalarCode : 1);
  if (nest.sums.block == nullptr) return;
  const Variable* const columns[] = {nest.sums.block, nest.sums.column};
  counter.AddStores(nest.sums.stores, columns, 1);
}

void Count(const loop::Contraction& c, Counter& counter) {
  std::vector<const Variable*> outer = c.batch;
  outer.insert(outer.end(), c.m.begin(), c.m.end());
  outer.push_back(c.n);
  std::vector<const Variable*> all = outer;
  all.insert(all.end(), c.k.begin(), c.k.end());
  counter.Add(2, all);
  counter.AddStores(c.epilogue, outer, 1);
}

}  // namespace

Polynomial WorkOf(const loop::Step& step) {
  Counter counter;
  std::visit([&](const auto& s) { Count(s, counter); }, step);
  return counter.Finish();
}

Polynomial WorkOf(const loop::Plan& plan) {
  Polynomial sum;
  for (const loop::Step& step : plan.steps) AddWork(sum, WorkOf(step));
  return sum;
}

void AddWork(Polynomial& sum, const Polynomial& terms, const Extent& factor) {
  for (const loop::SizeTerm& t : terms) {
    Extent product = t.factors.empty() ? Extent(1) : t.factors[0];
    product = product * factor;
    const int64_t coefficient = t.coefficient * product.scale;
    product.scale = 1;
    loop::SizeTerm term{coefficient, {}};
    if (!product.is_number()) term.factors.push_back(product);
    const auto same = std::ranges::find_if(
        sum, [&](const loop::SizeTerm& s) { return s.factors == term.factors; });
    if (same != sum.end()) {
      same->coefficient += coefficient;
    } else {
      sum.push_back(std::move(term));
    }
  }
}

double WorkAt(const Polynomial& work, double size, ir::Symbol one) {
  double sum = 0;
  for (const loop::SizeTerm& t : work) {
    double product = static_cast<double>(t.coefficient);
    for (const Extent& e : t.factors) {
      for (const ir::Symbol s : e.symbols) product *= s == one ? 1 : size;
    }
    sum += product;
  }
  return sum;
}

}  // namespace gradus::passes
