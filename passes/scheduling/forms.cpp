#include "passes/scheduling/forms.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"

namespace gradus::passes::scheduling {

std::vector<const Scalar*> PostOrder(std::span<const Scalar* const> roots) {
  std::vector<const Scalar*> order;
  absl::flat_hash_set<const Scalar*> seen;
  struct Frame {
    const Scalar* scalar;
    size_t next;
  };
  std::vector<Frame> stack;
  for (const Scalar* root : roots) {
    if (root == nullptr || !seen.insert(root).second) continue;
    stack.push_back({root, 0});
    while (!stack.empty()) {
      Frame& frame = stack.back();
      if (frame.next == frame.scalar->operands.size()) {
        order.push_back(frame.scalar);
        stack.pop_back();
        continue;
      }
      const Scalar* operand = frame.scalar->operands[frame.next++];
      if (seen.insert(operand).second) stack.push_back({operand, 0});
    }
  }
  return order;
}

void ForEachForm(const Scalar& scalar, const std::function<void(const Index&)>& visit) {
  for (const Index& index : scalar.indices) visit(index);
  for (const loop::Condition& c : scalar.conditions) {
    visit(c.low);
    visit(c.form);
    visit(c.high);
  }
}

Index CoefficientOf(const Index& form, const Variable* v) {
  Index sum;
  for (const loop::Term& term : form.terms()) {
    if (term.variable != v) continue;
    Extent factor(term.coefficient);
    factor.symbols = term.symbols;
    sum = sum + Index::Of(factor);
  }
  return sum;
}

std::optional<int64_t> Stride(const Index& form, const Variable* v) {
  int64_t stride = 0;
  for (const loop::Term& term : form.terms()) {
    if (term.variable != v) continue;
    if (!term.symbols.empty()) return std::nullopt;
    stride += term.coefficient;
  }
  return stride;
}

bool InAtom(const Index& form, const Variable* v) {
  for (const loop::Term& term : form.terms()) {
    if (term.variable != nullptr && term.variable->kind() != Variable::Kind::kLoop &&
        term.variable->numerator().depends_on(v)) {
      return true;
    }
  }
  return false;
}

bool IsAffine(const Index& form) {
  return std::ranges::all_of(form.terms(), [](const loop::Term& t) {
    return t.variable == nullptr || t.variable->kind() == Variable::Kind::kLoop;
  });
}

std::optional<Bounded> AsBounded(const loop::Condition& condition) {
  if (!condition.low.is_constant() || !condition.high.is_constant()) return std::nullopt;
  Bounded b;
  for (const loop::Term& t : condition.form.terms()) {
    if (!t.symbols.empty()) return std::nullopt;
    if (t.variable == nullptr) continue;
    if (b.v != nullptr || t.coefficient != 1 || t.variable->kind() != Variable::Kind::kLoop) {
      return std::nullopt;
    }
    b.v = t.variable;
  }
  if (b.v == nullptr) return std::nullopt;
  b.low = condition.low.constant() - condition.form.constant();
  b.high = condition.high.constant() - condition.form.constant();
  return b;
}

const Scalar* RewriteReductions(Arena& arena, const Scalar* root, const ReduceRewrite& rewrite) {
  absl::flat_hash_map<const Scalar*, const Scalar*> replaced;
  const Scalar* const roots[] = {root};
  for (const Scalar* s : PostOrder(roots)) {
    if (s->kind != ScalarKind::kReduce) continue;
    const Scalar* body = arena.Substitute(s->operands[0], {}, replaced);
    const Scalar* to = rewrite(*s, body);
    if (to != s) replaced[s] = to;
  }
  return replaced.empty() ? root : arena.Substitute(root, {}, replaced);
}

bool Contains(std::span<const Variable* const> list, const Variable* v) {
  return std::ranges::find(list, v) != list.end();
}

}  // namespace gradus::passes::scheduling
