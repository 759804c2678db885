#include "ir/loop/lowerer.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"
#include "ir/loop/emission.h"
#include "ir/loop/walk.h"

namespace gradus::loop {
namespace {

// More operations than this an element, more scalars in all, or any reduction: load a stored value
// rather than compute it again.
constexpr int kCheapToRepeat = 8;
constexpr int kMostScalars = 2 * kCheapToRepeat;

bool IsCheap(const Scalar* root) {
  bool reduces = false;
  int scalars = 0, operations = 0;
  ForEachReached(root, [&](const Scalar* s) {
    reduces = reduces || s->kind == ScalarKind::kReduce;
    operations += s->operands.empty() ? 0 : 1;
    return !reduces && ++scalars <= kMostScalars;
  });
  return !reduces && scalars <= kMostScalars && operations <= kCheapToRepeat;
}

// The outputs that a store loads.
absl::flat_hash_set<int> OutputsLoaded(const Kernel& kernel, const Store& store) {
  absl::flat_hash_set<int> loaded;
  for (const Scalar* root : {store.value, store.position}) {
    if (root == nullptr) continue;
    ForEachReached(root, [&](const Scalar* s) {
      if (s->reads_buffer() && s->buffer >= kernel.num_inputs) loaded.insert(s->buffer);
    });
  }
  return loaded;
}

std::string VariableName(size_t axis) {
  static constexpr std::string_view kNames = "ijlmnopq";  // k is a contraction's
  return axis < kNames.size() ? std::string(1, kNames[axis]) : fmt::format("v{}", axis);
}

}  // namespace

Arena& At::arena() const { return *lowerer_.kernel().arena; }

Expr At::Operand(int i, std::span<const Index> index) const {
  return {arena(), lowerer_.ScalarAt(node_.operand(i), index)};
}

Expr At::OperandAt(int i, std::span<const Index> index, int axis, Expr position) const {
  const ir::Value v = node_.operand(i);
  if (const int buffer = lowerer_.BufferOf(v); buffer >= 0) {
    const Extent stride = Strides(v.shape())[static_cast<size_t>(axis)];
    std::vector<Index> others(index.begin(), index.end());
    others[static_cast<size_t>(axis)] = Index(0);
    return {arena(), arena().Gather(buffer, v.dtype(), others, axis, stride, position.scalar())};
  }
  const Variable* r = ReductionVariable(axis, Extent(v.shape()[axis]));
  std::vector<Index> at(index.begin(), index.end());
  at[static_cast<size_t>(axis)] = Index(r);
  const Expr x = Operand(i, at);
  const Expr hit = Eq(IndexValue(Index(r)), position);
  const Expr zero = IsFloat(v.dtype()) ? x.Const(0) : x.IntConst(v.dtype(), 0);
  return Reduce(ReduceKind::kSum, {&r, 1}, Select(hit, x, zero));
}

const Variable* At::ReductionVariable(int axis, const Extent& extent) const {
  return lowerer_.ReductionVariable(node_, axis, extent);
}

Expr At::Reduce(ReduceKind kind, std::span<const Variable* const> variables, Expr x) const {
  return {arena(), arena().Reduce(kind, variables, x.scalar())};
}

Expr At::Float(double value) const { return {arena(), arena().Float(type().dtype, value)}; }

Expr At::Integer(DType dtype, int64_t value) const {
  return {arena(), arena().Integer(dtype, value)};
}

Expr At::IndexValue(const Index& form) const { return {arena(), arena().IndexValue(form)}; }

Expr At::ExtentValue(const Extent& extent) const { return {arena(), arena().ExtentValue(extent)}; }

Expr At::Guard(std::span<const Condition> conditions, Expr x) const {
  return {arena(), arena().Guard(conditions, x.scalar())};
}

const Scalar* Lowerer::ScalarAt(ir::Value v, std::span<const Index> index) {
  IR_CHECK_MSG(static_cast<int>(index.size()) == v.rank(), "one form an axis");
  if (v.node()->is_argument()) {
    return kernel_.arena->Load(v.function().ArgumentIndex(v), v.dtype(), index);
  }
  if (const auto at = stored_.find(v); at != stored_.end()) {
    const Stored& stored = at->second;
    if (!stored.home || !std::ranges::equal(index, *stored.home)) {
      return kernel_.arena->Load(stored.buffer, v.dtype(), index);
    }
  }
  const std::pair<ir::Value, std::vector<Index>> key(v, {index.begin(), index.end()});
  if (const auto known = memo_.find(key); known != memo_.end()) return known->second;
  const ir::Node& node = *v.node();
  IR_CHECK_MSG(node.op().at != nullptr, node.op().name);
  const Expr x = node.op().at(At(*this, node, v.result(), index));
  IR_CHECK_MSG(x.dtype() == v.dtype(), node.op().name);
  memo_[key] = x.scalar();
  return x.scalar();
}

int Lowerer::BufferOf(ir::Value v) const {
  if (v.node()->is_argument()) return v.function().ArgumentIndex(v);
  const auto at = stored_.find(v);
  return at == stored_.end() ? -1 : at->second.buffer;
}

void Lowerer::SetStored(ir::Value v, int buffer, std::span<const Index> home) {
  stored_[v] = {buffer, std::vector<Index>(home.begin(), home.end())};
}

void Lowerer::SetStored(ir::Value v, int buffer) { stored_[v] = {buffer, std::nullopt}; }

std::vector<const Variable*> Lowerer::NewLoops(const ir::Shape& shape) {
  std::vector<const Variable*> loops;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    loops.push_back(
        kernel_.arena->NewVariable(VariableName(static_cast<size_t>(axis)), Extent(shape[axis])));
  }
  return loops;
}

const Variable* Lowerer::ReductionVariable(const ir::Node& node, int axis, const Extent& extent) {
  const Variable*& v = reduction_variables_[{&node, axis}];
  if (v == nullptr) {
    v = kernel_.arena->NewVariable(node.op().has(ir::kContraction) ? "k" : "r", extent);
  }
  IR_CHECK_MSG(v->extent() == extent, "one extent a reduction variable");
  return v;
}

namespace {

// True if `reader` needs of what `writer` writes the very element alone.
bool ReadsAtItsPlace(const Store& reader, const Store& writer) {
  if (reader.kind != Store::Kind::kWrite || writer.kind != Store::Kind::kWrite) return false;
  bool at_its_place = true;
  ForEachReached(reader.value, [&](const Scalar* s) {
    if (!s->reads_buffer() || s->buffer != writer.buffer) return;
    at_its_place &= s->kind == ScalarKind::kLoad && s->indices == writer.indices;
  });
  return at_its_place;
}

// Orders stores: after those whose buffers they load or add to; what need not wait until all of a
// buffer is complete comes before what has to, so that stores that share a sum can share its loops.
// Otherwise the last comes first.
std::vector<Store> Ordered(const Kernel& kernel, std::vector<Store> stores) {
  const size_t n = stores.size();
  std::vector<std::vector<size_t>> after(n);  // after[a]: those that load what a stores
  std::vector<int> waiting(n, 0);
  std::vector<int> rounds(n, 0);  // how many buffers, one after the other, are complete before
  for (size_t b = 0; b < n; ++b) {
    const absl::flat_hash_set<int> loaded = OutputsLoaded(kernel, stores[b]);
    for (size_t a = 0; a < b; ++a) {
      if (!loaded.contains(stores[a].buffer) && stores[a].buffer != stores[b].buffer) continue;
      after[a].push_back(b);
      ++waiting[b];
      rounds[b] = std::max(rounds[b], rounds[a] + (ReadsAtItsPlace(stores[b], stores[a]) ? 0 : 1));
    }
  }
  std::vector<Store> ordered;
  std::vector<bool> done(n, false);
  while (ordered.size() < n) {
    size_t next = n;
    for (size_t i = n; i-- > 0;) {
      if (done[i] || waiting[i] != 0) continue;
      if (next == n || rounds[i] < rounds[next]) next = i;
    }
    IR_CHECK_MSG(next < n, kernel.name);
    done[next] = true;
    for (size_t b : after[next]) --waiting[b];
    ordered.push_back(std::move(stores[next]));
  }
  return ordered;
}

void AddBuffers(const ir::Function& f, Kernel* kernel) {
  absl::flat_hash_set<std::string> names;
  auto add = [&](std::string name, const ir::Type& type, Buffer::Kind kind) {
    std::string unique = name;
    for (int n = 1; !names.insert(unique).second; ++n) unique = fmt::format("{}_{}", name, n);
    Buffer b;
    b.name = std::move(unique);
    b.type = type;
    b.kind = kind;
    kernel->buffers.push_back(std::move(b));
  };
  for (int i = 0; i < f.num_args(); ++i) {
    add(f.arg(i).node()->name(), f.arg(i).type(), Buffer::Kind::kInput);
  }
  for (const ir::Result& r : f.results()) {
    add(r.name.empty() ? "o" : r.name, r.value.type(), Buffer::Kind::kOutput);
  }
  kernel->num_inputs = f.num_args();
  kernel->num_outputs = static_cast<int>(f.results().size());
}

// What a kernel has to store, and where.
struct Stored {
  ir::Value value;
  int buffer = 0;
};

// Results, and what is written before anything reads it, in the order in which they are computed:
// what a later one reads of them is stored by then. Adds scratch for what is no result.
std::vector<Stored> ToStore(const ir::Function& f, Kernel* kernel) {
  std::vector<int> position(static_cast<size_t>(f.id_bound()), -1);
  std::vector<bool> is_result(position.size(), false);
  std::vector<Stored> list;
  for (size_t r = 0; r < f.results().size(); ++r) {
    const ir::Value v = f.results()[r].value;
    is_result[static_cast<size_t>(v.node()->id())] = true;
    list.push_back({v, f.num_args() + static_cast<int>(r)});
  }
  for (size_t i = 0; i < f.nodes().size(); ++i) {
    ir::Node& node = *f.nodes()[i];
    const auto id = static_cast<size_t>(node.id());
    position[id] = static_cast<int>(i);
    if (node.op().emit == nullptr || is_result[id]) continue;
    Buffer scratch{.name = fmt::format("scratch{}", kernel->buffers.size()),
                   .type = node.type(),
                   .kind = Buffer::Kind::kScratch,
                   .elements = {}};
    for (const ir::Dim& d : node.type().shape) scratch.elements.push_back(Extent(d));
    list.push_back({node.result(), static_cast<int>(kernel->buffers.size())});
    kernel->buffers.push_back(std::move(scratch));
  }
  std::ranges::stable_sort(list, {}, [&](const Stored& s) {
    return position[static_cast<size_t>(s.value.node()->id())];
  });
  return list;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Kernel>> Lower(const ir::Function& f, bool has_tables) {
  for (const auto& node : f.nodes()) {
    if (node->op().at != nullptr || node->op().emit != nullptr) continue;
    const std::string where = node->location().known() ? node->location().ToString() + ": " : "";
    return absl::InvalidArgumentError(fmt::format(
        "{}lower-to-loops: {} in @{} has no lowering rule; inline calls and form kernels first",
        where, node->op().name, f.name()));
  }
  auto kernel = std::make_unique<Kernel>();
  kernel->arena->has_tables = has_tables;
  kernel->name = f.name();
  AddBuffers(f, kernel.get());
  const std::vector<Stored> to_store = ToStore(f, kernel.get());
  Lowerer lowerer(*kernel);
  std::vector<Store> stores;
  // What is expensive and stored, by shape: its scalar and a load of it.
  using Loads = absl::flat_hash_map<const Scalar*, const Scalar*>;
  std::vector<std::pair<ir::Shape, Loads>> loads;
  std::vector<std::pair<ir::Shape, std::vector<const Variable*>>> loops;
  for (const auto& [v, buffer] : to_store) {
    if (v.node()->op().emit != nullptr && lowerer.BufferOf(v) < 0) {
      const size_t first = stores.size();
      v.node()->op().emit(Emission(lowerer, *v.node(), buffer, stores));
      lowerer.SetStored(v, buffer);
      for (Store& store : std::span(stores).subspan(first)) {
        for (const auto& [shape, of_shape] : loads) {
          store.value = kernel->arena->Substitute(store.value, {}, of_shape);
          if (store.position == nullptr) continue;
          store.position = kernel->arena->Substitute(store.position, {}, of_shape);
        }
      }
      continue;
    }
    auto found = std::find_if(loops.begin(), loops.end(),
                              [&](const auto& l) { return l.first == v.shape(); });
    if (found == loops.end()) {
      loops.emplace_back(v.shape(), lowerer.NewLoops(v.shape()));
      found = loops.end() - 1;
    }
    Store store;
    store.buffer = buffer;
    store.variables = found->second;
    for (const Variable* variable : store.variables) store.indices.push_back(Index(variable));
    const std::span<const Index> home(store.indices.data(), store.indices.size());
    store.value = lowerer.ScalarAt(v, home);
    const bool keep = !v.node()->is_argument() && !IsCheap(store.value);
    const Scalar* own = store.value;
    // What is stored along other loops is read: computed again, a sum might be added up in another
    // order and no longer equal itself.
    for (const auto& [shape, of_shape] : loads) {
      if (shape == v.shape()) continue;
      store.value = kernel->arena->Substitute(store.value, {}, of_shape);
    }
    // What has to wait for another store cannot share its loops either: no other shape's are left
    // to replace.
    const auto own_shape = std::find_if(loads.begin(), loads.end(),
                                        [&](const auto& l) { return l.first == v.shape(); });
    if (own_shape != loads.end() && !OutputsLoaded(*kernel, store).empty()) {
      store.value = kernel->arena->Substitute(store.value, {}, own_shape->second);
    }
    if (keep) {
      lowerer.SetStored(v, store.buffer, home);
      // A value that is the same along an axis may be wanted where that axis has no loop: it is
      // read at 0 there, which an axis of open extent might not have.
      std::vector<Index> everywhere(home.begin(), home.end());
      bool readable = true;
      for (size_t axis = 0; axis < everywhere.size(); ++axis) {
        const Variable* variable = store.variables[axis];
        if (own->depends_on(variable)) continue;
        everywhere[axis] = Index(0);
        readable = readable && variable->extent().is_number() && variable->extent().number() > 0;
      }
      if (readable) {
        const Scalar* load = kernel->arena->Load(store.buffer, v.dtype(), everywhere);
        Loads& of_shape = own_shape != loads.end() ? own_shape->second
                                                   : loads.emplace_back(v.shape(), Loads()).second;
        of_shape.try_emplace(own, load);
      }
    }
    stores.push_back(std::move(store));
  }
  kernel->stores = Ordered(*kernel, std::move(stores));
  return kernel;
}

}  // namespace gradus::loop
