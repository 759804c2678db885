#include "passes/scheduling/residues.h"

#include <algorithm>
#include <numeric>

namespace gradus::passes::scheduling {
namespace {

// A block for each residue: more would be code for little work each.
constexpr int64_t kMostResidues = 4;

// `0 <= form mod stride < 1`, with the one loop y and the one summed variable k in the form.
struct Divides {
  loop::Condition condition;
  const Variable* remainder = nullptr;  // the atom
  const Variable* y = nullptr;
  const Variable* k = nullptr;
};

// The atom if the condition says that it is 0.
const Variable* ZeroRemainder(const loop::Condition& c) {
  const auto terms = c.form.terms();
  if (terms.size() != 1 || terms[0].coefficient != 1 || !terms[0].symbols.empty()) return nullptr;
  const Variable* v = terms[0].variable;
  if (v == nullptr || v->kind() != Variable::Kind::kMod || v->divisor() > kMostResidues) {
    return nullptr;
  }
  return c.low == Index(0) && c.high == Index(1) ? v : nullptr;
}

// Two variables of the numerator, with y in a loop of the block and k summed over, whose residue
// follows from y's.
std::optional<Divides> AsDivides(const Block& block, const Scalar& sum, const loop::Condition& c) {
  Divides d{.condition = c, .remainder = ZeroRemainder(c)};
  if (d.remainder == nullptr || !IsAffine(d.remainder->numerator())) return std::nullopt;
  for (const loop::Term& t : d.remainder->numerator().terms()) {
    if (!t.symbols.empty()) return std::nullopt;
    if (t.variable == nullptr) continue;
    if (!t.variable->extent().is_number()) return std::nullopt;
    const Variable*& part = Contains(sum.variables, t.variable) ? d.k : d.y;
    if (part != nullptr) return std::nullopt;
    part = t.variable;
    if (part == d.k && std::gcd(t.coefficient, d.remainder->divisor()) != 1) return std::nullopt;
  }
  const bool found = d.y != nullptr && d.k != nullptr && Contains(block.loops, d.y);
  return found ? std::optional(d) : std::nullopt;
}

// True if `x` is 0 wherever the condition does not hold (or NaN, where it is 0 times infinity).
bool Vanishes(const Scalar* x, const loop::Condition& c) {
  switch (x->kind) {
    case ScalarKind::kGuard:
      return std::ranges::find(x->conditions, c) != x->conditions.end() ||
             Vanishes(x->operands[0], c);
    case ScalarKind::kMul: return Vanishes(x->operands[0], c) || Vanishes(x->operands[1], c);
    case ScalarKind::kNeg: return Vanishes(x->operands[0], c);
    default: return false;
  }
}

std::optional<Divides> Find(const Block& block) {
  const std::vector<const Scalar*> scalars = PostOrder(block.values());
  for (const Scalar* sum : scalars) {
    if (sum->kind != ScalarKind::kReduce) continue;
    for (const Scalar* inner : PostOrder({sum->operands.data(), 1})) {
      for (const loop::Condition& c : inner->conditions) {
        const std::optional<Divides> d = AsDivides(block, *sum, c);
        if (!d) continue;
        const bool everywhere = std::ranges::all_of(scalars, [&](const Scalar* s) {
          return s->kind != ScalarKind::kReduce || !Contains(s->variables, d->k) ||
                 (s->reduce == loop::ReduceKind::kSum && Vanishes(s->operands[0], c));
        });
        if (everywhere) return d;
      }
    }
  }
  return std::nullopt;
}

// How many of residue, residue + stride, ... are below the extent.
int64_t Count(const Variable* v, int64_t residue, int64_t stride) {
  const int64_t n = v->extent().number();
  return n <= residue ? 0 : (n - residue - 1) / stride + 1;
}

}  // namespace

std::optional<std::vector<Block>> SplitResidues(Arena& arena, const Block& block) {
  const std::optional<Divides> d = Find(block);
  if (!d) return std::nullopt;
  const int64_t stride = d->remainder->divisor();
  const Index& form = d->remainder->numerator();
  const int64_t of_y = form.coefficient(d->y), of_k = form.coefficient(d->k);
  std::vector<Block> blocks;
  for (int64_t a = 0; a < stride; ++a) {
    if (Count(d->y, a, stride) == 0) continue;
    int64_t b = 0;
    while ((of_y * a + of_k * b + form.constant()) % stride != 0) ++b;
    Block part = block;
    for (const auto& [v, residue] : {std::pair(d->y, a), {d->k, b}}) {
      const Variable* steps = arena.NewVariable(v->name() + "h", Extent(Count(v, residue, stride)));
      ReplaceVariable(arena, part, v, {steps}, Index(steps) * stride + Index(residue));
    }
    blocks.push_back(std::move(part));
  }
  return blocks;
}

}  // namespace gradus::passes::scheduling
