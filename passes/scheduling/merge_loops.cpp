#include "passes/scheduling/merge_loops.h"

#include <algorithm>

namespace gradus::passes::scheduling {

bool CanMerge(std::span<const Index> forms, const Variable* p, const Variable* q) {
  if (p->extent().divisor != 1 || q->extent().divisor != 1) return false;
  return std::ranges::all_of(forms, [&](const Index& form) {
    return !InAtom(form, p) && !InAtom(form, q) &&
           CoefficientOf(form, p) == CoefficientOf(form, q).Times(q->extent());
  });
}

std::vector<Merge> MergeAdjacent(Arena& arena, Variables& list, std::vector<Index>& forms) {
  std::vector<Merge> applied;
  for (size_t i = 0; i + 1 < list.size();) {
    const Variable* p = list[i];
    const Variable* q = list[i + 1];
    if (!CanMerge(forms, p, q)) {
      ++i;
      continue;
    }
    const Variable* merged = arena.NewVariable(p->name() + q->name(), p->extent() * q->extent());
    const Merge both = {{{p, Index(int64_t{0})}, {q, Index(merged)}}};
    for (Index& form : forms) form = loop::Substitute(arena, form, both);
    applied.push_back(both);
    list[i] = merged;
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    if (i > 0) --i;  // the merged loop may now fit the one before
  }
  return applied;
}

std::vector<Index> FormsOf(const Block& block) {
  std::vector<Index> forms;
  if (block.running != nullptr) forms.emplace_back(block.running);  // with which no other merges
  for (const auto* list : {&block.row_stores, &block.stores}) {
    for (const loop::FlatStore& store : *list) forms.push_back(store.offset);
  }
  for (const loop::Condition& c : block.domain) forms.insert(forms.end(), {c.low, c.form, c.high});
  for (const Scalar* s : PostOrder(block.values())) {
    ForEachForm(*s, [&](const Index& form) { forms.push_back(form); });
  }
  return forms;
}

namespace {

// Merges two variables that are adjacent in every reduction that has one of them. True if something
// changed.
bool MergeOneReductionPair(Arena& arena, Block& block) {
  const std::vector<const Scalar*> scalars = PostOrder(block.values());
  const std::vector<Index> forms = FormsOf(block);
  for (const Scalar* s : scalars) {
    if (s->kind != ScalarKind::kReduce) continue;
    for (size_t i = 0; i + 1 < s->variables.size(); ++i) {
      const Variable* p = s->variables[i];
      const Variable* q = s->variables[i + 1];
      const bool adjacent = std::ranges::all_of(scalars, [&](const Scalar* other) {
        if (other->kind != ScalarKind::kReduce) return true;
        const auto at = std::ranges::find(other->variables, p);
        if (at == other->variables.end()) return !Contains(other->variables, q);
        return at + 1 != other->variables.end() && *(at + 1) == q;
      });
      if (!adjacent || !CanMerge(forms, p, q)) continue;
      const Variable* merged = arena.NewVariable(p->name() + q->name(), p->extent() * q->extent());
      const loop::Substitution both[] = {{p, Index(int64_t{0})}, {q, Index(merged)}};
      const ReduceRewrite merge = [&](const Scalar& reduce, const Scalar* body) -> const Scalar* {
        Variables variables;
        for (const Variable* v : reduce.variables) {
          if (v != q) variables.push_back(v == p ? merged : v);
        }
        if (body == reduce.operands[0] && !Contains(reduce.variables, p)) return &reduce;
        return arena.Reduce(reduce.reduce, variables, arena.Substitute(body, both));
      };
      for (loop::FlatStore* store : block.all_stores()) {
        ReplaceScalars(*store,
                       [&](const Scalar* root) { return RewriteReductions(arena, root, merge); });
      }
      return true;
    }
  }
  return false;
}

}  // namespace

void MergeLoops(Arena& arena, Block& block) {
  std::vector<Index> forms = FormsOf(block);
  for (const Merge& merge : MergeAdjacent(arena, block.loops, forms)) {
    SubstituteVariables(arena, block, merge);
  }
  while (MergeOneReductionPair(arena, block)) {
  }
}

}  // namespace gradus::passes::scheduling
