#include "passes/scheduling/blocks.h"

#include <algorithm>
#include <limits>

#include "ir/check.h"

namespace gradus::passes::scheduling {
namespace {

// The value of a store with each load as one flat form.
const Scalar* FlattenLoads(const loop::Kernel& kernel, const Scalar* value) {
  const Scalar* const roots[] = {value};
  absl::flat_hash_map<const Scalar*, const Scalar*> flat;
  for (const Scalar* s : PostOrder(roots)) {
    if (!s->reads_buffer()) continue;
    const auto& shape = kernel.buffers[static_cast<size_t>(s->buffer)].type.shape;
    const Index offset = loop::Flatten(s->indices, shape);
    if (s->kind == ScalarKind::kLoad) {
      flat[s] = kernel.arena->Load(s->buffer, s->dtype, std::span(&offset, 1));
      continue;
    }
    // Operands come first, so its position is flat already.
    const Scalar* position = kernel.arena->Substitute(s->operands[0], {}, flat);
    flat[s] =
        kernel.arena->Gather(s->buffer, s->dtype, std::span(&offset, 1), 0, s->extent, position);
  }
  return flat.empty() ? value : kernel.arena->Substitute(value, {}, flat);
}

void AppendScalars(const loop::FlatStore& store, std::vector<const Scalar*>& list) {
  for (const Scalar* s : {store.value, store.jump, store.where}) {
    if (s != nullptr) list.push_back(s);
  }
}

std::vector<const Scalar*> ScalarsOf(const loop::FlatStore& store) {
  std::vector<const Scalar*> list;
  AppendScalars(store, list);
  return list;
}

// How a store that loads `loads` can stand in a block after the block's stores: the loads that
// become values. nullopt: it reads what the block writes at another place.
std::optional<absl::flat_hash_map<const Scalar*, const Scalar*>> JoinBlock(
    const Block& block, std::span<const Scalar* const> loads) {
  if (block.ordered()) return std::nullopt;
  absl::flat_hash_map<const Scalar*, const Scalar*> values;
  for (const Scalar* load : loads) {
    for (const loop::FlatStore& store : block.stores) {
      if (store.buffer != load->buffer) continue;
      if (load->kind != ScalarKind::kLoad || !(store.offset == load->indices[0])) {
        return std::nullopt;
      }
      values[load] = store.value;
    }
  }
  return values;
}

// True if a store to `buffer` with these loads may run before `block`, which stands before it in
// the kernel.
bool MayPass(const loop::Kernel& kernel, const Block& block, int buffer,
             std::span<const Scalar* const> loads) {
  for (const loop::FlatStore& store : block.stores) {
    if (store.buffer == buffer) return false;
    for (const Scalar* load : loads) {
      if (load->buffer == store.buffer) return false;
    }
  }
  return !MayTouch(kernel.buffers, buffer, LoadsOf(block.values()));
}

}  // namespace

std::vector<const Scalar*> LoadsOf(std::span<const Scalar* const> values) {
  std::vector<const Scalar*> loads;
  for (const Scalar* s : PostOrder(values)) {
    if (s->reads_buffer()) loads.push_back(s);
  }
  return loads;
}

bool MayTouch(std::span<const loop::Buffer> buffers, int buffer,
              std::span<const Scalar* const> loads) {
  const ir::Type& type = buffers[static_cast<size_t>(buffer)].type;
  return std::ranges::any_of(loads, [&](const Scalar* load) {
    const loop::Buffer& read = buffers[static_cast<size_t>(load->buffer)];
    return load->buffer == buffer || (read.kind == loop::Buffer::Kind::kInput && read.type == type);
  });
}

std::vector<const Scalar*> Block::values() const {
  std::vector<const Scalar*> list;
  for (const auto* part : {&row_stores, &stores}) {
    for (const loop::FlatStore& s : *part) AppendScalars(s, list);
  }
  return list;
}

std::vector<loop::FlatStore*> Block::all_stores() {
  std::vector<loop::FlatStore*> list;
  for (loop::FlatStore& s : row_stores) list.push_back(&s);
  for (loop::FlatStore& s : stores) list.push_back(&s);
  return list;
}

namespace {

// The store with flat accesses.
loop::FlatStore Flatten(const loop::Kernel& kernel, const loop::Store& store) {
  const ir::Shape& shape = kernel.buffers[static_cast<size_t>(store.buffer)].type.shape;
  loop::FlatStore flat;
  flat.buffer = store.buffer;
  flat.offset = loop::Flatten(store.indices, shape);
  flat.value = FlattenLoads(kernel, store.value);
  flat.accumulate = store.kind == loop::Store::Kind::kAdd;
  if (!flat.accumulate) return flat;
  Arena& arena = *kernel.arena;
  const loop::Expr position(arena, FlattenLoads(kernel, store.position));
  const auto extent_value = [&](const Extent& extent) {
    return loop::Expr(arena, arena.ExtentValue(extent));
  };
  const loop::Expr zero = position.IntConst(ir::DType::kI64, 0);
  const loop::Expr size = extent_value(Extent(shape[store.axis]));
  flat.where = And(Le(zero, position), Lt(position, size)).scalar();
  flat.jump =
      (position * extent_value(loop::Strides(shape)[static_cast<size_t>(store.axis)])).scalar();
  return flat;
}

}  // namespace

std::vector<Block> FormBlocks(const loop::Kernel& kernel) {
  std::vector<Block> blocks;
  for (const loop::Store& store : kernel.stores) {
    loop::FlatStore flat = Flatten(kernel, store);
    const std::vector<const Scalar*> loads = LoadsOf(ScalarsOf(flat));
    bool joined = false;
    const bool may_join = store.kind == loop::Store::Kind::kWrite;
    for (size_t b = blocks.size(); b-- > 0 && may_join && !joined;) {
      if (blocks[b].loops == store.variables) {
        if (const auto values = JoinBlock(blocks[b], loads)) {
          if (!values->empty()) flat.value = kernel.arena->Substitute(flat.value, {}, *values);
          blocks[b].stores.push_back(flat);
          joined = true;
          break;
        }
      }
      if (!MayPass(kernel, blocks[b], store.buffer, loads)) break;
    }
    if (!joined) {
      Block& block = blocks.emplace_back();
      block.loops = store.variables;
      block.stores.push_back(flat);
      block.running = store.running;
    }
  }
  return blocks;
}

void SubstituteVariables(Arena& arena, Block& block, std::span<const loop::Substitution> list) {
  for (loop::FlatStore* store : block.all_stores()) {
    store->offset = loop::Substitute(arena, store->offset, list);
    ReplaceScalars(*store, [&](const Scalar* s) { return arena.Substitute(s, list); });
  }
  for (loop::Condition& c : block.domain) {
    for (Index* form : {&c.low, &c.form, &c.high}) *form = loop::Substitute(arena, *form, list);
  }
}

void ReplaceVariable(Arena& arena, Block& block, const Variable* v, const Variables& by,
                     const Index& to) {
  const loop::Substitution substitution{v, to};
  if (const auto it = std::ranges::find(block.loops, v); it != block.loops.end()) {
    const auto at = block.loops.erase(it);
    block.loops.insert(at, by.begin(), by.end());
    SubstituteVariables(arena, block, std::span(&substitution, 1));
    return;
  }
  const ReduceRewrite replace = [&](const Scalar& reduce, const Scalar* body) -> const Scalar* {
    if (!Contains(reduce.variables, v)) {
      return body == reduce.operands[0] ? &reduce
                                        : arena.Reduce(reduce.reduce, reduce.variables, body);
    }
    Variables variables;
    for (const Variable* old : reduce.variables) {
      if (old == v) {
        variables.insert(variables.end(), by.begin(), by.end());
      } else {
        variables.push_back(old);
      }
    }
    body = arena.Substitute(body, std::span(&substitution, 1));
    return variables.empty() ? body : arena.Reduce(reduce.reduce, variables, body);
  };
  for (loop::FlatStore* store : block.all_stores()) {
    ReplaceScalars(*store, [&](const Scalar* s) { return RewriteReductions(arena, s, replace); });
  }
}

namespace {

// An atom `v / d` or `v % d` (v may have a factor of 1 and no constant) whose loop can be split, if
// there is one. The loop `whole` cannot.
const Variable* FindSplit(const Index& form, const Variable* whole) {
  for (const loop::Term& term : form.terms()) {
    const Variable* atom = term.variable;
    if (atom == nullptr || atom->kind() == Variable::Kind::kLoop) continue;
    const auto terms = atom->numerator().terms();
    if (terms.size() == 1 && terms[0].variable != nullptr && terms[0].coefficient == 1 &&
        terms[0].symbols.empty() && terms[0].variable->kind() == Variable::Kind::kLoop &&
        terms[0].variable != whole) {
      const Extent& extent = terms[0].variable->extent();
      if (extent.divisor == 1 && extent.scale % atom->divisor() == 0) return atom;
    }
    if (const Variable* inner = FindSplit(atom->numerator(), whole)) return inner;
  }
  return nullptr;
}

}  // namespace

void SplitAtoms(Arena& arena, Block& block) {
  while (true) {
    const Variable* atom = nullptr;
    const auto look = [&](const Index& form) {
      if (atom == nullptr) atom = FindSplit(form, block.running);
    };
    for (const loop::FlatStore* store : block.all_stores()) look(store->offset);
    for (const Scalar* s : PostOrder(block.values())) ForEachForm(*s, look);
    if (atom == nullptr) return;
    const Variable* v = atom->numerator().terms()[0].variable;
    const int64_t d = atom->divisor();
    Extent outer = v->extent();
    outer.scale /= d;
    const Variable* high = arena.NewVariable(v->name() + "h", outer);
    const Variable* low = arena.NewVariable(v->name() + "l", Extent(d));
    ReplaceVariable(arena, block, v, {high, low}, Index(high) * d + Index(low));
  }
}

void DropUnitLoops(Arena& arena, Block& block) {
  const auto is_unit = [](const Variable* v) {
    return v->extent().is_number() && v->extent().number() == 1;
  };
  Variables units;
  for (const Variable* v : block.loops) {
    if (is_unit(v) && v != block.running) units.push_back(v);
  }
  for (const Scalar* s : PostOrder(block.values())) {
    if (s->kind != ScalarKind::kReduce) continue;
    for (const Variable* v : s->variables) {
      if (is_unit(v) && !Contains(units, v)) units.push_back(v);
    }
  }
  for (const Variable* v : units) ReplaceVariable(arena, block, v, {}, Index(int64_t{0}));
}

void SortReductions(Arena& arena, Block& block) {
  const ReduceRewrite sort = [&](const Scalar& reduce, const Scalar* body) -> const Scalar* {
    const Scalar* const roots[] = {body};
    absl::flat_hash_map<const Variable*, int64_t> largest;
    for (const Scalar* s : PostOrder(roots)) {
      if (s->kind != ScalarKind::kLoad) continue;
      for (const Variable* v : reduce.variables) {
        const int64_t stride =
            Stride(s->indices[0], v).value_or(std::numeric_limits<int64_t>::max());
        largest[v] = std::max(largest[v], std::abs(stride));
      }
    }
    Variables variables(reduce.variables.begin(), reduce.variables.end());
    std::ranges::stable_sort(
        variables, [&](const Variable* a, const Variable* b) { return largest[a] > largest[b]; });
    if (body == reduce.operands[0] && std::ranges::equal(variables, reduce.variables)) {
      return &reduce;
    }
    return arena.Reduce(reduce.reduce, variables, body);
  };
  for (loop::FlatStore* store : block.all_stores()) {
    ReplaceScalars(*store, [&](const Scalar* s) { return RewriteReductions(arena, s, sort); });
  }
}

}  // namespace gradus::passes::scheduling
