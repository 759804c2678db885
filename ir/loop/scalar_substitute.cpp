// Expressions built again with other variables or other parts.

#include <algorithm>
#include <cstdlib>

#include "ir/loop/scalar.h"
#include "ir/loop/walk.h"

namespace gradus::loop {

// The scalar `s` with other operands and with variables replaced in its own forms.
const Scalar* Arena::Rebuild(const Scalar& s, std::span<const Scalar* const> operands,
                             std::span<const Substitution> variables) {
  auto form = [&](const Index& f) { return loop::Substitute(*this, f, variables); };
  switch (s.kind) {
    case ScalarKind::kConst:
    case ScalarKind::kExtent:
    case ScalarKind::kAcc: return &s;
    case ScalarKind::kIndex: return IndexValue(form(s.indices[0]));
    case ScalarKind::kLoad: {
      absl::InlinedVector<Index, 3> indices;
      for (const Index& i : s.indices) indices.push_back(form(i));
      return Load(s.buffer, s.dtype, {indices.data(), indices.size()});
    }
    case ScalarKind::kGather: {
      absl::InlinedVector<Index, 3> indices;
      for (const Index& i : s.indices) indices.push_back(form(i));
      return Gather(s.buffer, s.dtype, {indices.data(), indices.size()},
                    static_cast<int>(s.integer), s.extent, operands[0]);
    }
    case ScalarKind::kNeg:
    case ScalarKind::kAbs:
    case ScalarKind::kFloor:
    case ScalarKind::kRoundEven:
    case ScalarKind::kSqrt: return Unary(s.kind, operands[0]);
    case ScalarKind::kFma: return Fma(operands[0], operands[1], operands[2]);
    case ScalarKind::kSelect: return Select(operands[0], operands[1], operands[2]);
    case ScalarKind::kCast: return Cast(s.dtype, operands[0]);
    case ScalarKind::kBitcast: return Bitcast(s.dtype, operands[0]);
    case ScalarKind::kExp2Table: return Exp2Table(operands[0]);
    case ScalarKind::kGuard: {
      absl::InlinedVector<Condition, 2> conditions;
      for (const Condition& c : s.conditions) {
        conditions.push_back({form(c.low), form(c.form), form(c.high)});
      }
      return Guard({conditions.data(), conditions.size()}, operands[0]);
    }
    case ScalarKind::kReduce: {
      // A reduction variable that is replaced by a form runs as that form's variables, largest
      // stride outermost.
      absl::InlinedVector<const Variable*, 4> bound;
      for (const Variable* v : s.variables) {
        const auto* found = std::find_if(variables.data(), variables.data() + variables.size(),
                                         [&](const Substitution& x) { return x.from == v; });
        if (found == variables.data() + variables.size()) {
          bound.push_back(v);
          continue;
        }
        absl::InlinedVector<Term, 3> terms(found->to.terms().begin(), found->to.terms().end());
        std::stable_sort(terms.begin(), terms.end(), [](const Term& a, const Term& b) {
          return std::abs(a.coefficient) > std::abs(b.coefficient);
        });
        for (const Term& t : terms) {
          if (t.variable != nullptr) bound.push_back(t.variable);
        }
      }
      return Reduce(s.reduce, {bound.data(), bound.size()}, operands[0]);
    }
    default: return Binary(s.kind, operands[0], operands[1]);
  }
}

const Scalar* Arena::Substitute(const Scalar* x, std::span<const Substitution> variables,
                                const absl::flat_hash_map<const Scalar*, const Scalar*>& scalars) {
  if (variables.empty() && scalars.empty()) return x;
  // Operands are older than their users, so ascending ids are an order of evaluation.
  absl::flat_hash_map<const Scalar*, const Scalar*> done;
  std::vector<const Scalar*> reached;
  ForEachReached(x, [&](const Scalar* s) {
    const auto at = scalars.find(s);
    if (at == scalars.end()) {
      reached.push_back(s);
    } else {
      done[s] = at->second;
    }
    return at == scalars.end();
  });
  std::sort(reached.begin(), reached.end(),
            [](const Scalar* a, const Scalar* b) { return a->id < b->id; });
  for (const Scalar* s : reached) {
    absl::InlinedVector<const Scalar*, 3> operands;
    for (const Scalar* o : s->operands) operands.push_back(done[o]);
    done[s] = Rebuild(*s, {operands.data(), operands.size()}, variables);
  }
  return done[x];
}

}  // namespace gradus::loop
