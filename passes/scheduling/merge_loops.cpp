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

namespace {

// True if a guard's condition says nothing of `p` and `q`, or bounds p plus what is neither.
bool BoundsWhole(const loop::Condition& c, const Variable* p, const Variable* q) {
  for (const Index* bound : {&c.low, &c.high}) {
    if (bound->depends_on(p) || bound->depends_on(q)) return false;
  }
  return !c.form.depends_on(q) &&
         (!c.form.depends_on(p) || (!InAtom(c.form, p) && Stride(c.form, p) == 1));
}

}  // namespace

void MergeUnderGuards(Arena& arena, Block& block, int64_t lanes) {
  if (block.loops.size() < 2 || block.ordered() || !block.domain.empty() ||
      !block.row_stores.empty()) {
    return;
  }
  const Variable* const p = block.loops[block.loops.size() - 2];
  const Variable* const q = block.loops.back();
  if (!p->extent().is_number() || !q->extent().is_number() || q->extent().number() >= lanes) return;
  const int64_t extent = q->extent().number();
  const std::vector<const Scalar*> scalars = PostOrder(block.values());
  std::vector<Index> forms;
  for (const loop::FlatStore& store : block.stores) forms.push_back(store.offset);
  absl::flat_hash_map<const Scalar*, const Scalar*> replaced;
  for (const Scalar* s : scalars) {
    if (s->kind == ScalarKind::kReduce) return;
    if (s->kind != ScalarKind::kGuard) {
      ForEachForm(*s, [&](const Index& form) { forms.push_back(form); });
      continue;
    }
    std::vector<loop::Condition> conditions(s->conditions.begin(), s->conditions.end());
    for (loop::Condition& c : conditions) {
      if (!BoundsWhole(c, p, q)) return;
      if (!c.form.depends_on(p)) continue;
      c = {c.low * extent, c.form * extent + Index(q), c.high * extent};
    }
    replaced[s] = arena.Guard(conditions, arena.Substitute(s->operands[0], {}, replaced));
  }
  if (replaced.empty() || !CanMerge(forms, p, q)) return;
  const Variable* const merged =
      arena.NewVariable(p->name() + q->name(), p->extent() * q->extent());
  const Merge both = {{{p, Index(int64_t{0})}, {q, Index(merged)}}};
  for (loop::FlatStore& store : block.stores) {
    ReplaceScalars(store, [&](const Scalar* s) { return arena.Substitute(s, {}, replaced); });
  }
  SubstituteVariables(arena, block, both);
  block.loops.pop_back();
  block.loops.back() = merged;
}

}  // namespace gradus::passes::scheduling
