#include "passes/scheduling/k_ranges.h"

#include <algorithm>
#include <optional>

namespace gradus::passes::scheduling {
namespace {

// Of all steps, what must be left out: loops that run from and to what is known only when they are
// reached cost something, too.
constexpr double kLeastSaved = 0.01;
// Rows of a tile that loops over m are worth keeping apart for.
constexpr double kEnoughRows = 16;

// low <= of_k * k + of_m * m + constant < high.
struct Inside {
  const Variable *k = nullptr, *m = nullptr;
  int64_t of_k = 0, of_m = 0, constant = 0, low = 0, high = 0;
};

bool HasNumber(const Variable* v) { return v->extent().is_number(); }

// Nullopt: the condition has another form.
std::optional<Inside> AsInside(const Draft& draft, const loop::Condition& c) {
  if (!c.low.is_constant() || !c.high.is_constant() || !IsAffine(c.form)) return std::nullopt;
  Inside x;
  x.low = c.low.constant();
  x.high = c.high.constant();
  for (const loop::Term& t : c.form.terms()) {
    if (!t.symbols.empty()) return std::nullopt;
    if (t.variable == nullptr) {
      x.constant = t.coefficient;
      continue;
    }
    if (!HasNumber(t.variable)) return std::nullopt;
    const bool is_k = Contains(draft.k, t.variable);
    if ((is_k ? x.k : x.m) != nullptr || (!is_k && !Contains(draft.m, t.variable))) {
      return std::nullopt;
    }
    (is_k ? x.k : x.m) = t.variable;
    (is_k ? x.of_k : x.of_m) = t.coefficient;
  }
  return x.k != nullptr && x.m != nullptr ? std::optional(x) : std::nullopt;
}

// How much of all steps is left out; 0 too if there is a place of m for which that is all.
double Saved(const Inside& x) {
  constexpr int64_t kMostPlaces = 1 << 20;
  const int64_t steps = x.k->extent().number(), places = x.m->extent().number();
  if (steps * places > kMostPlaces || steps * places == 0) return 0;
  int64_t all = 0;
  for (int64_t m = 0; m < places; ++m) {
    int64_t count = 0;
    for (int64_t k = 0; k < steps; ++k) {
      const int64_t at = x.of_k * k + x.of_m * m + x.constant;
      count += x.low <= at && at < x.high;
    }
    if (count == 0) return 0;
    all += count;
  }
  return 1 - static_cast<double>(all) / static_cast<double>(steps * places);
}

// Appends the conditions without which a product of guarded factors is 0.
void AppendConditions(const Scalar* x, std::vector<loop::Condition>& list) {
  if (x->kind == ScalarKind::kGuard) {
    list.insert(list.end(), x->conditions.begin(), x->conditions.end());
  }
  if (x->kind != ScalarKind::kGuard && x->kind != ScalarKind::kMul && x->kind != ScalarKind::kNeg) {
    return;
  }
  for (const Scalar* operand : x->operands) AppendConditions(operand, list);
}

// ceil(form / divisor).
Index Ceil(Arena& arena, const Index& form, int64_t divisor) {
  return DivMod(arena, form + (divisor - 1), divisor).quotient;
}

}  // namespace

std::vector<loop::Condition> ConditionsOfSteps(const Planner& planner, Draft draft,
                                               const Scalar* a) {
  Arena& arena = planner.arena;
  std::vector<loop::Condition> all, worth;
  if (planner.target.small_code) return worth;
  const Variable* const row = RowVariable(draft);
  if (row == nullptr) return worth;
  AppendConditions(a, all);
  Variables bounded;
  for (const loop::Condition& c : all) {
    const std::optional<Inside> inside = AsInside(draft, c);
    if (!inside || inside->m == row || Contains(bounded, inside->k)) continue;
    if (Saved(*inside) < kLeastSaved) continue;
    bounded.push_back(inside->k);
    worth.push_back(c);
  }
  if (worth.empty() || Passes(std::span(&row, 1)) >= kEnoughRows) return worth;
  // Not if they keep rows apart that would be one loop.
  const auto rows = [&](Draft merged) {
    merged.MergeLoops(arena);
    const Variable* const v = RowVariable(merged);
    return v == nullptr ? 0 : Passes(std::span(&v, 1));
  };
  const double without = rows(draft);
  draft.inside = worth;
  if (rows(draft) < without) worth.clear();
  return worth;
}

double LeftOut(const Draft& draft) {
  double runs = 1;
  for (const loop::Condition& c : draft.inside) {
    const std::optional<Inside> inside = AsInside(draft, c);
    if (inside) runs *= 1 - Saved(*inside);
  }
  return 1 - runs;
}

std::vector<loop::KRange> RangesOf(Arena& arena, const Draft& draft, const Variable* rows) {
  std::vector<loop::KRange> ranges;
  for (const loop::Condition& c : draft.inside) {
    const std::optional<Inside> inside = AsInside(draft, c);
    if (!inside || inside->m == rows || Saved(*inside) == 0) continue;
    const Index rest = c.form - Index(inside->k) * inside->of_k;
    const Index low = Index(inside->low) - rest, high = Index(inside->high) - rest;
    const int64_t step = inside->of_k;
    if (step > 0) {
      ranges.push_back({inside->k, Ceil(arena, low, step), Ceil(arena, high, step)});
    } else {
      // -step * k in (-high, -low]
      ranges.push_back({inside->k, DivMod(arena, Index(0) - high, -step).quotient + 1,
                        DivMod(arena, Index(0) - low, -step).quotient + 1});
    }
  }
  return ranges;
}

}  // namespace gradus::passes::scheduling
