#include "passes/scheduling/factors.h"

#include <algorithm>

#include "fmt/format.h"

namespace gradus::passes::scheduling {
namespace {

struct Guarded {
  const Scalar* factor;
  std::vector<loop::Condition> conditions;
};

bool DependsOn(const loop::Condition& c, const Variable* v) {
  return c.low.depends_on(v) || c.form.depends_on(v) || c.high.depends_on(v);
}

// True if the factor varies with every variable, of those given, that the condition varies with.
bool Covers(const Scalar& factor, const loop::Condition& c,
            std::span<const Variable* const> variables) {
  return std::ranges::all_of(
      variables, [&](const Variable* v) { return !DependsOn(c, v) || factor.depends_on(v); });
}

// Appends the factors of `x`; false if a guard spans two of them.
bool Flatten(Arena& arena, const Scalar* x, std::vector<const Scalar*>& factors, bool& negated) {
  switch (x->kind) {
    case ScalarKind::kMul:
      return Flatten(arena, x->operands[0], factors, negated) &&
             Flatten(arena, x->operands[1], factors, negated);
    case ScalarKind::kNeg:
      negated = !negated;
      return Flatten(arena, x->operands[0], factors, negated);
    case ScalarKind::kGuard: {
      std::vector<const Scalar*> inner;
      if (!Flatten(arena, x->operands[0], inner, negated)) return false;
      std::vector<std::vector<loop::Condition>> conditions(inner.size());
      for (const loop::Condition& c : x->conditions) {
        size_t best = inner.size();
        for (size_t i = 0; i < inner.size(); ++i) {
          if (Covers(*inner[i], c, x->free) &&
              (best == inner.size() || inner[i]->free.size() < inner[best]->free.size())) {
            best = i;
          }
        }
        if (best == inner.size()) return false;
        conditions[best].push_back(c);
      }
      for (size_t i = 0; i < inner.size(); ++i) {
        factors.push_back(conditions[i].empty() ? inner[i] : arena.Guard(conditions[i], inner[i]));
      }
      return true;
    }
    default: factors.push_back(x); return true;
  }
}

bool IsSubset(std::span<const Variable* const> small, std::span<const Variable* const> large) {
  return std::ranges::all_of(small, [&](const Variable* v) { return Contains(large, v); });
}

}  // namespace

Product FindFactors(Arena& arena, const Scalar& sum) {
  Product product;
  std::vector<const Scalar*> factors;
  if (!Flatten(arena, sum.operands[0], factors, product.negated)) {
    product.why_not = "a guard spans both factors";
    return product;
  }
  std::vector<Cluster> found;
  for (const Scalar* factor : factors) {
    Variables outer;
    bool summed = false;
    for (const Variable* v : factor->free) {
      if (Contains(sum.variables, v)) {
        summed = true;
      } else {
        outer.push_back(v);
      }
    }
    if (!summed) {
      product.outside.push_back(factor);
    } else if (outer.empty()) {
      product.k_only.push_back(factor);
    } else {
      found.push_back({std::move(outer), {factor}});
    }
  }
  std::ranges::stable_sort(
      found, [](const Cluster& a, const Cluster& b) { return a.outer.size() > b.outer.size(); });
  for (Cluster& cluster : found) {
    const auto home = std::ranges::find_if(
        product.clusters, [&](const Cluster& c) { return IsSubset(cluster.outer, c.outer); });
    if (home == product.clusters.end()) {
      product.clusters.push_back(std::move(cluster));
    } else {
      home->factors.push_back(cluster.factors.front());
    }
  }
  if (product.clusters.size() > 2) {
    product.why_not = fmt::format("a product of {} independent factors", product.clusters.size());
  } else if (product.clusters.empty() || (product.clusters.size() == 1 && product.k_only.empty())) {
    product.why_not = "not a product of two factors";
  }
  return product;
}

const Scalar* Multiply(Arena& arena, std::span<const Scalar* const> factors) {
  const Scalar* product = factors.front();
  for (const Scalar* factor : factors.subspan(1)) {
    product = arena.Binary(ScalarKind::kMul, product, factor);
  }
  return product;
}

}  // namespace gradus::passes::scheduling
