#include "passes/scheduling/residues.h"

#include <algorithm>
#include <numeric>

namespace gradus::passes::scheduling {
namespace {

// A block for each residue: more would be code for little work each.
constexpr int64_t kMostResidues = 4;

// `0 <= form mod stride < 1`, with the one loop y and at most one summed variable, k, in the form.
struct Divides {
  loop::Condition condition;
  const Variable* remainder = nullptr;  // the atom
  const Variable* y = nullptr;
  const Variable* k = nullptr;  // null: of a window of one step
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

// The variables of the numerator, with y in a loop of the block and k summed over, whose residue
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
  const bool found = d.y != nullptr && Contains(block.loops, d.y);
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

// Where the condition does not hold.
bool IsSumOfZeros(const Scalar& s, const loop::Condition& c) {
  return s.kind == ScalarKind::kReduce && s.reduce == loop::ReduceKind::kSum &&
         Vanishes(s.operands[0], c);
}

std::optional<Divides> Find(const Block& block) {
  const std::vector<const Scalar*> scalars = PostOrder(block.values());
  for (const Scalar* sum : scalars) {
    if (sum->kind != ScalarKind::kReduce) continue;
    for (const Scalar* inner : PostOrder({sum->operands.data(), 1})) {
      for (const loop::Condition& c : inner->conditions) {
        const std::optional<Divides> d = AsDivides(block, *sum, c);
        if (!d) continue;
        if (d->k == nullptr && !IsSumOfZeros(*sum, c)) continue;
        const bool everywhere = std::ranges::all_of(scalars, [&](const Scalar* s) {
          return d->k == nullptr || s->kind != ScalarKind::kReduce ||
                 !Contains(s->variables, d->k) || IsSumOfZeros(*s, c);
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

namespace {

// The block at a residue of y for which no step leaves no rest.
void DropSums(Arena& arena, Block& block, const loop::Condition& c) {
  for (loop::FlatStore* store : block.all_stores()) {
    ReplaceScalars(*store, [&](const Scalar* root) {
      return RewriteReductions(
          arena, root, [&](const Scalar& reduce, const Scalar* body) -> const Scalar* {
            if (IsSumOfZeros(reduce, c)) return arena.Float(reduce.dtype, 0);
            return body == reduce.operands[0] ? &reduce
                                              : arena.Reduce(reduce.reduce, reduce.variables, body);
          });
    });
  }
}

}  // namespace

std::optional<std::vector<Block>> SplitResidues(Arena& arena, const Block& block) {
  const std::optional<Divides> d = Find(block);
  if (!d) return std::nullopt;
  const int64_t stride = d->remainder->divisor();
  const Index& form = d->remainder->numerator();
  const int64_t of_y = form.coefficient(d->y);
  const int64_t of_k = d->k == nullptr ? 0 : form.coefficient(d->k);
  const auto in_steps = [&](Block& part, const Variable* v, int64_t residue) {
    const Variable* steps = arena.NewVariable(v->name() + "h", Extent(Count(v, residue, stride)));
    ReplaceVariable(arena, part, v, {steps}, Index(steps) * stride + Index(residue));
  };
  std::vector<Block> blocks;
  for (int64_t a = 0; a < stride; ++a) {
    if (Count(d->y, a, stride) == 0) continue;
    const auto leaves_rest = [&](int64_t b) {
      return (of_y * a + of_k * b + form.constant()) % stride != 0;
    };
    Block part = block;
    if (d->k != nullptr) {
      int64_t b = 0;
      while (leaves_rest(b)) ++b;
      in_steps(part, d->y, a);
      in_steps(part, d->k, b);
    } else {
      if (leaves_rest(0)) DropSums(arena, part, d->condition);
      in_steps(part, d->y, a);
    }
    blocks.push_back(std::move(part));
  }
  return blocks;
}

}  // namespace gradus::passes::scheduling
