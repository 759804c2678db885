#include "passes/kernels/outline.h"

#include <algorithm>
#include <functional>
#include <queue>

#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"
#include "ir/op_def.h"
#include "ir/ops/leaf.h"
#include "ir/ops/structure.h"

namespace gradus::passes {
namespace {

using ir::Function;
using ir::Node;
using ir::Value;

// Text that is equal for functions which compute the same.
std::string Structure(const Function& f) {
  std::vector<std::vector<int>> numbers(static_cast<size_t>(f.id_bound()));
  int next = 0;
  std::string text;
  auto define = [&](Value v) {
    auto& list = numbers[static_cast<size_t>(v.node()->id())];
    list.push_back(next++);
    text += ir::ToString(v.type()) + ";";
  };
  auto use = [&](Value v) {
    const auto& list = numbers[static_cast<size_t>(v.node()->id())];
    text += fmt::format("%{} ", list[static_cast<size_t>(v.result())]);
  };
  for (int i = 0; i < f.num_args(); ++i) define(f.arg(i));
  for (const auto& node : f.nodes()) {
    text += fmt::format("\n{} ", node->op().name);
    for (const Value v : node->operands()) use(v);
    for (const ir::NamedAttribute& a : node->attrs()) {
      text += fmt::format("{}={} ", a.name, ir::ToString(a.value));
    }
    for (int r = 0; r < node->num_results(); ++r) define(node->result(r));
  }
  text += "\nreturn ";
  for (const ir::Result& r : f.results()) use(r.value);
  return text;
}

std::string Identifier(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain || (!name.empty() && name.back() != '_')) name += plain ? c : '_';
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  return name;
}

// The layer, whether it is of the backward pass, what the kernel is about (its contraction or
// reduction, if any) and what it ends with: hidden_matmul_select, hidden_backward_matmul_sub.
std::string Stem(const KernelCut& cut) {
  const Node* anchor = nullptr;
  for (const ir::Trait trait : {ir::kContraction, ir::kReduction}) {
    for (const Node* n : cut.nodes) {
      if (anchor == nullptr && n->op().has(trait)) anchor = n;
    }
  }
  const Node* last = cut.nodes.back();
  if (anchor == nullptr) anchor = last;
  std::string stem = Identifier(anchor->location().scope_name());
  if (!stem.empty()) stem += '_';
  if (anchor->location().backward) stem += "backward_";
  stem += anchor->op().name;
  if (last != anchor && last->op().name != anchor->op().name)
    stem += fmt::format("_{}", last->op().name);
  const bool letter = (stem[0] >= 'a' && stem[0] <= 'z') || (stem[0] >= 'A' && stem[0] <= 'Z');
  return letter ? stem : "k_" + stem;
}

// Builds the function of one kernel, and the operands of its call.
class KernelBuilder {
 public:
  KernelBuilder(const Function& from, const std::vector<bool>& copied)
      : from_(from),
        copied_(copied),
        kernel_(std::make_unique<Function>("", ir::FunctionKind::kKernel)) {}

  std::unique_ptr<Function> Build(const KernelCut& cut) {
    // Arguments first, in order of first use.
    for (const Node* n : cut.nodes) inside_.insert(n);
    for (const Node* n : cut.nodes) CollectInputs(*n);
    for (const Node* n : cut.nodes) Copy(*n);
    for (const Value v : cut.outputs) {
      std::string name;
      for (const ir::Result& r : from_.results()) {
        if (r.value == v && name.empty()) name = r.name;
      }
      kernel_->AddResult(Map(v), Unique(std::move(name)));
    }
    return std::move(kernel_);
  }
  const std::vector<Value>& inputs() const { return inputs_; }

 private:
  bool IsPassed(Value v) const {
    return !inside_.contains(v.node()) &&
           (v.node()->is_argument() || !copied_[static_cast<size_t>(v.node()->id())]);
  }

  void CollectInputs(const Node& n) {
    if (n.op().has(ir::kTypeOnly)) return;
    for (const Value v : n.operands()) {
      if (IsPassed(v)) {
        if (mapped_.contains(v)) continue;
        inputs_.push_back(v);
        const Node& source = *v.node();
        const std::string name =
            source.is_argument() ? source.name() : std::string(source.op().name);
        mapped_[v] = kernel_->AddArgument(Unique(name), v.type(), source.location());
      } else if (!inside_.contains(v.node()) && visited_.insert(v.node()).second) {
        CollectInputs(*v.node());  // copied nodes form short chains
      }
    }
  }

  std::string Unique(std::string name) {
    if (name.empty()) return name;
    const std::string stem = name;
    for (int n = 1; !names_.insert(name).second; ++n) name = fmt::format("{}_{}", stem, n);
    return name;
  }

  Value Map(Value v) {
    if (const auto at = mapped_.find(v); at != mapped_.end()) return at->second;
    Copy(*v.node());
    return mapped_.at(v);
  }

  // A stand-in of the type, for ops that look at nothing else.
  Value OfType(const ir::Type& type) {
    return ir::IsFloat(type.dtype) ? ir::constant(*kernel_, type, 0)
                                   : ir::constant_int(*kernel_, type, 0);
  }

  void Copy(const Node& n) {
    if (mapped_.contains(Value(const_cast<Node*>(&n), 0))) return;
    absl::InlinedVector<Value, 4> operands;
    for (const Value v : n.operands()) {
      operands.push_back(n.op().has(ir::kTypeOnly) ? OfType(v.type()) : Map(v));
    }
    Node* copy = kernel_->Append(n.op(), {operands.data(), operands.size()}, n.attrs(), n.types(),
                                 n.location());
    for (int r = 0; r < n.num_results(); ++r) {
      mapped_[Value(const_cast<Node*>(&n), r)] = copy->result(r);
    }
  }

  const Function& from_;
  const std::vector<bool>& copied_;
  std::unique_ptr<Function> kernel_;
  std::vector<Value> inputs_;
  absl::flat_hash_set<const Node*> inside_, visited_;
  absl::flat_hash_map<Value, Value> mapped_;
  absl::flat_hash_set<std::string> names_;
};

// A kernel to be, or a node that stays as it is.
struct Unit {
  const Node* kept = nullptr;
  std::unique_ptr<Function> kernel;
  std::string stem;
  std::vector<Value> inputs, outputs;
  int position = 0;  // of its first node
  ir::Location location;
};

// Units in an order in which every value is defined before its use, close to the order of the
// nodes.
std::vector<size_t> Sorted(const std::vector<Unit>& units, const Function& f) {
  std::vector<int> producer(static_cast<size_t>(f.id_bound()), -1);
  for (size_t u = 0; u < units.size(); ++u) {
    for (const Value v : units[u].outputs)
      producer[static_cast<size_t>(v.node()->id())] = static_cast<int>(u);
  }
  std::vector<absl::InlinedVector<size_t, 4>> after(units.size());
  std::vector<int> waiting(units.size(), 0);
  for (size_t u = 0; u < units.size(); ++u) {
    for (const Value v : units[u].inputs) {
      const int from = producer[static_cast<size_t>(v.node()->id())];
      if (from < 0) continue;
      after[static_cast<size_t>(from)].push_back(u);
      ++waiting[u];
    }
  }
  using Entry = std::pair<int, size_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
  for (size_t u = 0; u < units.size(); ++u) {
    if (waiting[u] == 0) ready.emplace(units[u].position, u);
  }
  std::vector<size_t> order;
  while (!ready.empty()) {
    const size_t u = ready.top().second;
    ready.pop();
    order.push_back(u);
    for (const size_t next : after[u]) {
      if (--waiting[next] == 0) ready.emplace(units[next].position, next);
    }
  }
  IR_CHECK_MSG(order.size() == units.size(), "kernels without a cycle");
  return order;
}

}  // namespace

KernelPool::KernelPool(ir::Module& module) : module_(module) {
  for (const auto& f : module.functions()) {
    if (f->kind() == ir::FunctionKind::kKernel) by_structure_.try_emplace(Structure(*f), f.get());
  }
}

const Function& KernelPool::Intern(std::unique_ptr<Function> kernel, std::string_view stem) {
  const auto [at, is_new] = by_structure_.try_emplace(Structure(*kernel), nullptr);
  if (!is_new) return *at->second;
  Function& added = module_.AddFunction(module_.UniqueName(stem), ir::FunctionKind::kKernel);
  std::vector<Value> args;
  for (int i = 0; i < kernel->num_args(); ++i) {
    const Node& a = *kernel->arg(i).node();
    args.push_back(added.AddArgument(a.name(), a.type(), a.location()));
  }
  const std::vector<Value> results = ir::InlineInto(added, *kernel, args);
  for (size_t i = 0; i < results.size(); ++i)
    added.AddResult(results[i], kernel->results()[i].name);
  at->second = &added;
  return added;
}

void Outline(Function& f, const FunctionCut& cut, KernelPool& pool) {
  std::vector<int> position(static_cast<size_t>(f.id_bound()), -1);
  for (size_t i = 0; i < f.nodes().size(); ++i)
    position[static_cast<size_t>(f.nodes()[i]->id())] = static_cast<int>(i);
  std::vector<Unit> units;
  std::vector<bool> in_kernel(static_cast<size_t>(f.id_bound()), false);
  for (const KernelCut& k : cut.kernels) {
    for (const Node* n : k.nodes) in_kernel[static_cast<size_t>(n->id())] = true;
    Unit unit;
    KernelBuilder builder(f, cut.copied);
    unit.kernel = builder.Build(k);
    unit.inputs = builder.inputs();
    unit.outputs = k.outputs;
    unit.stem = Stem(k);
    unit.position = position[static_cast<size_t>(k.nodes.front()->id())];
    unit.location = k.nodes.back()->location();
    for (const Node* n : k.nodes) {
      if (n->op().has(ir::kContraction)) unit.location = n->location();
    }
    units.push_back(std::move(unit));
  }
  const size_t old_count = f.nodes().size();
  for (size_t i = 0; i < old_count; ++i) {
    Node& n = *f.nodes()[i];
    const auto id = static_cast<size_t>(n.id());
    if (in_kernel[id] || cut.copied[id]) continue;
    Unit unit;
    unit.kept = &n;
    unit.inputs.assign(n.operands().begin(), n.operands().end());
    for (int r = 0; r < n.num_results(); ++r) unit.outputs.push_back(n.result(r));
    unit.position = static_cast<int>(i);
    units.push_back(std::move(unit));
  }
  std::vector<bool> dead(static_cast<size_t>(f.id_bound()), true);
  std::vector<absl::InlinedVector<Value, 1>> replacement(static_cast<size_t>(f.id_bound()));
  auto map = [&](Value v) {
    const auto& list = replacement[static_cast<size_t>(v.node()->id())];
    return list.empty() ? v : list[static_cast<size_t>(v.result())];
  };
  for (const size_t u : Sorted(units, f)) {
    Unit& unit = units[u];
    std::vector<Value> operands;
    for (const Value v : unit.inputs) operands.push_back(map(v));
    Node* node = nullptr;
    if (unit.kept != nullptr) {
      node = f.Append(unit.kept->op(), operands, unit.kept->attrs(), unit.kept->types(),
                      unit.kept->location());
    } else {
      const Function& kernel = pool.Intern(std::move(unit.kernel), unit.stem);
      node = ir::call(f, kernel, operands, unit.location);
      IR_CHECK_MSG(node != nullptr, kernel.name());
    }
    for (size_t r = 0; r < unit.outputs.size(); ++r) {
      const Value v = unit.outputs[r];
      auto& list = replacement[static_cast<size_t>(v.node()->id())];
      list.resize(static_cast<size_t>(v.node()->num_results()));
      list[static_cast<size_t>(v.result())] = node->result(static_cast<int>(r));
    }
  }
  f.ReplaceUses(replacement);
  dead.resize(static_cast<size_t>(f.id_bound()), false);
  for (int i = 0; i < f.num_args(); ++i) dead[static_cast<size_t>(f.arg(i).node()->id())] = false;
  f.Erase(dead);
}

bool OutlineGraphs(ir::Module& module, FunctionCut (*cut)(const Function&)) {
  KernelPool pool(module);
  bool changed = false;
  const size_t count = module.functions().size();  // kernels are added behind
  for (size_t i = 0; i < count; ++i) {
    Function& f = *module.functions()[i];
    if (!f.is_graph()) continue;
    const FunctionCut of_f = cut(f);
    if (of_f.empty()) continue;
    Outline(f, of_f, pool);
    changed = true;
  }
  return changed;
}

}  // namespace gradus::passes
