#include "passes/scheduling/row_work.h"

#include "ir/loop/walk.h"

namespace gradus::passes::scheduling {

std::vector<const Scalar*> ValuesOf(const loop::Nest& nest) {
  std::vector<const Scalar*> values;
  for (const auto* list : {&nest.row_stores, &nest.stores}) {
    for (const loop::FlatStore& s : *list) values.push_back(s.value);
  }
  return values;
}

std::vector<const Scalar*> BodiesOf(const loop::RowPass& pass) {
  std::vector<const Scalar*> bodies;
  for (const Scalar* r : pass.reductions) bodies.push_back(r->operands[0]);
  return bodies;
}

std::vector<const Scalar*> RootsOf(const loop::Nest& nest) {
  std::vector<const Scalar*> roots = ValuesOf(nest);
  for (const loop::RowPass& pass : nest.passes) {
    const std::vector<const Scalar*> bodies = BodiesOf(pass);
    roots.insert(roots.end(), bodies.begin(), bodies.end());
  }
  return roots;
}

ScalarSet Along(std::span<const Scalar* const> roots, const Variable* row) {
  ScalarSet reached;
  loop::ForEachReached(roots, [&](const Scalar* s) {
    if (s->kind == ScalarKind::kReduce || !s->depends_on(row)) return false;
    reached.insert(s);
    return s->kind != ScalarKind::kGuard;
  });
  return reached;
}

int OperationCost(const Scalar& s) {
  switch (s.kind) {
    case ScalarKind::kConst:
    case ScalarKind::kLoad: return 0;
    case ScalarKind::kDiv:
    case ScalarKind::kSqrt:
    case ScalarKind::kGather: return 4;
    default: return 1;
  }
}

bool ReadsStored(const loop::Nest& nest, const Scalar* root) {
  bool reads = false;
  loop::ForEachReached(root, [&](const Scalar* s) {
    for (const auto* list : {&nest.row_stores, &nest.stores}) {
      for (const loop::FlatStore& store : *list) {
        reads |= s->reads_buffer() && s->buffer == store.buffer;
      }
    }
  });
  return reads;
}

bool CanGroup(const loop::Nest& nest, const Variable* row, const Variable* within) {
  if (within == nullptr || nest.passes.empty() || !row->extent().is_number()) return false;
  for (const loop::RowPass& pass : nest.passes) {
    if (pass.across != nullptr) return false;
  }
  for (const auto* list : {&nest.row_stores, &nest.stores}) {
    for (const loop::FlatStore& s : *list) {
      if (s.accumulate || s.jump != nullptr || ReadsStored(nest, s.value)) return false;
    }
  }
  return true;
}

}  // namespace gradus::passes::scheduling
