#include "passes/scheduling/recognize.h"

#include <algorithm>

#include "fmt/format.h"

namespace gradus::passes::scheduling {
namespace {

// What a symbolic size is taken for when costs are compared.
constexpr double kTypicalSymbol = 32;

}  // namespace

double Passes(std::span<const Variable* const> variables) {
  double passes = 1;
  for (const Variable* v : variables) {
    const Extent& e = v->extent();
    passes *= static_cast<double>(e.scale);
    for (size_t i = 0; i < e.symbols.size(); ++i) passes *= kTypicalSymbol;
    passes /= static_cast<double>(e.divisor);
  }
  return passes;
}

Recognition Recognize(Arena& arena, const Scalar& sum, std::span<const Variable* const> loops,
                      const Variable* n) {
  Recognition result;
  Roles& roles = result.roles;
  const auto no = [&](std::string why) {
    result.why_not = std::move(why);
    return result;
  };
  if (sum.kind != ScalarKind::kReduce || sum.reduce != loop::ReduceKind::kSum ||
      !ir::IsFloat(sum.dtype)) {
    return no("not a sum of floats");
  }
  for (const Variable* v : loops) {
    if (!sum.depends_on(v)) return no(fmt::format("the sum does not depend on {}", v->name()));
  }
  Product product = FindFactors(arena, sum);
  if (!product.why_not.empty()) return no(product.why_not);
  roles.k.assign(sum.variables.begin(), sum.variables.end());
  result.missed = Passes(sum.free) * Passes(roles.k) >= kSmallestContraction;
  roles.outside = product.outside;
  roles.negated = product.negated;

  Cluster none;
  Cluster* a = &none;
  Cluster* b = &product.clusters[0];
  if (product.clusters.size() == 2) {
    a = &product.clusters[1];
    if (!Contains(b->outer, n)) std::swap(a, b);
  }
  if (!Contains(b->outer, n)) return no(fmt::format("{} is in neither factor", n->name()));
  if (Contains(a->outer, n)) return no(fmt::format("{} is in both factors", n->name()));
  if (product.clusters.size() == 1) {
    a->factors = product.k_only;
  } else {  // to the smaller side
    Cluster* smaller = Passes(a->outer) <= Passes(b->outer) ? a : b;
    smaller->factors.insert(smaller->factors.end(), product.k_only.begin(), product.k_only.end());
  }
  for (const Variable* v : loops) {
    const bool in_a = Contains(a->outer, v);
    const bool in_b = Contains(b->outer, v);
    if (!in_a && !in_b) return no(fmt::format("{} is in neither factor", v->name()));
    (in_a && in_b ? roles.batch : in_a ? roles.m : roles.n).push_back(v);
  }
  for (const Cluster* side : {a, b}) {
    for (const Variable* v : side->outer) {
      if (!Contains(loops, v)) return no(fmt::format("{} is not a loop of the output", v->name()));
    }
  }
  roles.a = Multiply(arena, a->factors);
  roles.b = Multiply(arena, b->factors);
  std::erase(roles.n, n);
  roles.n.push_back(n);

  if (Passes(roles.k) < 2) return no("fewer than 2 terms");
  const double work = Passes(roles.m) * Passes(roles.n) * Passes(roles.k);
  if (work < kSmallestContraction) {
    return no(fmt::format("only {} multiply-adds", static_cast<int64_t>(work)));
  }
  return result;
}

}  // namespace gradus::passes::scheduling
