#include "ir/verifier.h"

#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"
#include "ir/lexer.h"
#include "ir/op_def.h"
#include "ir/printer.h"

namespace gradus::ir {
namespace {

bool NameFits(std::string_view name) { return !name.empty() && name.size() <= kMaxNameLength; }

// What is wrong with a type, or nothing.
std::string TypeFault(const Type& type) {
  for (const Dim& d : type.shape) {
    if (!d.is_symbol() && d.size() < 0) return "a size is negative";
    if (d.is_symbol() && !IsIdentifier(d.symbol().name())) {
      return fmt::format("{} cannot be the name of a symbol", Quote(d.symbol().name()));
    }
  }
  if (type.rank() > 32) return "a shape has at most 32 axes";
  if (!SizeFits(type.shape)) return "its elements do not fit any memory";
  return {};
}

class FunctionVerifier {
 public:
  FunctionVerifier(const Function& f, const Module* module) : f_(f), module_(module) {}

  absl::Status Process() {
    if (f_.error()) return f_.error()->ToStatus();
    if (!NameFits(f_.name())) return Fail("its name is empty or too long");
    defined_.assign(static_cast<size_t>(f_.id_bound()), nullptr);
    absl::flat_hash_set<std::string> names;
    for (int i = 0; i < f_.num_args(); ++i) {
      const Node& argument = *f_.arg(i).node();
      if (!NameFits(argument.name())) {
        return Fail(fmt::format("the name of argument {} is empty or too long", i));
      }
      if (!names.insert(argument.name()).second) {
        return Fail(fmt::format("two arguments are named %{}", SpellName(argument.name())));
      }
      if (const std::string fault = TypeFault(argument.type()); !fault.empty()) {
        return Fail(fmt::format("%{}: {}: {}", SpellName(argument.name()),
                                ToString(argument.type()), fault));
      }
      defined_[static_cast<size_t>(argument.id())] = &argument;
    }
    for (const auto& node : f_.nodes()) {
      if (std::string fault = CheckNode(*node); !fault.empty()) return Fail(*node, fault);
      defined_[static_cast<size_t>(node->id())] = node.get();
    }
    return Results();
  }

 private:
  absl::Status Fail(const std::string& message) const {
    return Diagnostic{.message = fmt::format("verifier: @{}: {}", f_.name(), message)}.ToStatus();
  }
  absl::Status Fail(const Node& node, const std::string& message) const {
    return Diagnostic{
        .location = node.location(),
        .message = fmt::format("verifier: @{}: {}: {}", f_.name(), node.op().name, message),
        .notes = {Print(node)}}
        .ToStatus();
  }

  std::string UseFault(const Value& v) const {
    if (!v) return "is no value";
    if (v.is_poison()) return "is the result of an op after an error";
    const auto id = static_cast<size_t>(v.node()->id());
    if (&v.function() != &f_) {
      return fmt::format("belongs to another function, @{}", v.function().name());
    }
    if (id >= defined_.size() || defined_[id] != v.node()) return "is used before its definition";
    if (v.result() < 0 || v.result() >= v.node()->num_results()) {
      return fmt::format("is result {} of a node that has {}", v.result(), v.node()->num_results());
    }
    return {};
  }

  // Structure first, so that the type rule sees what its record promises.
  std::string CheckNode(const Node& node) const {
    const OpDef& op = node.op();
    const auto id = static_cast<size_t>(node.id());
    if (op.has(kArgumentTrait) || op.infer == nullptr) return "is not an instruction";
    if (&node.function() != &f_) return "belongs to another function";
    if (id >= defined_.size() || defined_[id] != nullptr) return "its id is taken or out of range";
    const auto given = static_cast<size_t>(node.num_operands());
    const size_t named = op.operands.size();
    if (op.variadic ? given + 1 < named : given != named) {
      return fmt::format("takes {}{} operands, has {}", op.variadic ? "at least " : "",
                         op.variadic ? named - 1 : named, given);
    }
    for (size_t i = 0; i < given; ++i) {
      const std::string fault = UseFault(node.operands()[i]);
      if (!fault.empty()) return fmt::format("operand {} {}", i, fault);
    }
    if (node.attrs().size() != op.attrs.size()) {
      return fmt::format("has {} attributes, its record lists {}", node.attrs().size(),
                         op.attrs.size());
    }
    for (size_t i = 0; i < op.attrs.size(); ++i) {
      const NamedAttribute& a = node.attrs()[i];
      if (a.name != op.attrs[i].name) {
        return fmt::format("attribute {} is {}, its record says {}", i, a.name, op.attrs[i].name);
      }
      if (a.value.index() != static_cast<size_t>(op.attrs[i].kind)) {
        return fmt::format("attribute {} has the wrong kind of value: {}", a.name,
                           ToString(a.value));
      }
    }
    return CheckTypes(node);
  }

  std::string CheckTypes(const Node& node) const {
    if (node.op().has(kCall) && module_ == nullptr) return {};  // the callee cannot be found
    absl::InlinedVector<Type, 4> operands;
    for (const Value& v : node.operands()) operands.push_back(v.type());
    InferContext context;
    context.operands = {operands.data(), operands.size()};
    context.attrs = &node.attrs();
    context.module = module_;
    const absl::StatusOr<Types> inferred = node.op().infer(context);
    if (!inferred.ok()) return std::string(inferred.status().message());
    if (inferred->size() != static_cast<size_t>(node.num_results())) {
      return fmt::format("has {} results, its type rule gives {}", node.num_results(),
                         inferred->size());
    }
    for (size_t i = 0; i < inferred->size(); ++i) {
      if ((*inferred)[i] != node.types()[i]) {
        return fmt::format("its type is {}, its type rule gives {}", ToString(node.types()[i]),
                           ToString((*inferred)[i]));
      }
      if (std::string fault = TypeFault(node.types()[i]); !fault.empty()) {
        return fmt::format("{}: {}", ToString(node.types()[i]), fault);
      }
    }
    return {};
  }

  absl::Status Results() const {
    std::vector<bool> aliased(static_cast<size_t>(f_.num_args()), false);
    for (size_t i = 0; i < f_.results().size(); ++i) {
      const Result& r = f_.results()[i];
      if (const std::string fault = UseFault(r.value); !fault.empty()) {
        return Fail(fmt::format("result {} {}", i, fault));
      }
      if (r.name.size() > kMaxNameLength)
        return Fail(fmt::format("the name of result {} is too long", i));
      if (r.alias == -1) continue;
      if (r.alias < 0 || r.alias >= f_.num_args()) {
        return Fail(fmt::format("result {} lives in argument {}, which is not there", i, r.alias));
      }
      const Node& argument = *f_.arg(r.alias).node();
      if (argument.type() != r.value.type()) {
        return Fail(fmt::format("result {} of type {} cannot live in %{}, which is {}", i,
                                ToString(r.value.type()), SpellName(argument.name()),
                                ToString(argument.type())));
      }
      if (aliased[static_cast<size_t>(r.alias)]) {
        return Fail(fmt::format("two results live in %{}", SpellName(argument.name())));
      }
      aliased[static_cast<size_t>(r.alias)] = true;
    }
    return absl::OkStatus();
  }

  const Function& f_;
  const Module* module_;
  std::vector<const Node*> defined_;  // by id, null before the definition
};

// Every function named by an attribute exists, and no function names itself through any number of
// others.
absl::Status CheckReferences(const Module& module) {
  absl::flat_hash_map<const Function*, std::vector<const Function*>> callees;
  for (const auto& f : module.functions()) {
    std::vector<const Function*>& list = callees[f.get()];
    for (const auto& node : f->nodes()) {
      for (const NamedAttribute& a : node->attrs()) {
        const auto* callee = std::get_if<FunctionRef>(&a.value);
        if (callee == nullptr) continue;
        const Function* found = module.Find(callee->name);
        if (found == nullptr) {
          return Diagnostic{.location = node->location(),
                            .message = fmt::format("verifier: @{}: {}: there is no function @{}",
                                                   f->name(), node->op().name, callee->name)}
              .ToStatus();
        }
        list.push_back(found);
      }
    }
  }
  // Depth first, with a stack of our own; a function met while it is open is part of a circle.
  enum : char { kNew, kOpen, kDone };
  absl::flat_hash_map<const Function*, char> state;
  std::vector<std::pair<const Function*, size_t>> stack;
  for (const auto& root : module.functions()) {
    if (state[root.get()] == kNew) {
      state[root.get()] = kOpen;
      stack.emplace_back(root.get(), 0);
    }
    while (!stack.empty()) {
      auto& [f, next] = stack.back();
      const std::vector<const Function*>& list = callees[f];
      if (next == list.size()) {
        state[f] = kDone;
        stack.pop_back();
        continue;
      }
      const Function* callee = list[next++];
      char& s = state[callee];
      if (s == kOpen) {
        return Diagnostic{.message = fmt::format("verifier: @{} calls itself, directly or through "
                                                 "others: recursion cannot be compiled",
                                                 callee->name())}
            .ToStatus();
      }
      if (s == kNew) {
        s = kOpen;
        stack.emplace_back(callee, 0);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Fault(std::string message) {
  return Diagnostic{.message = "verifier: " + std::move(message)}.ToStatus();
}

}  // namespace

absl::Status Verify(const Function& function, const Module* module) {
  return FunctionVerifier(function, module).Process();
}

absl::Status Verify(const Module& module) {
  if (!NameFits(module.name())) return Fault("the module's name is empty or too long");
  absl::flat_hash_map<std::string, const Parameter*> parameters;
  for (const Parameter& p : module.parameters()) {
    if (!NameFits(p.name)) return Fault("the name of a parameter is empty or too long");
    if (!NameFits(p.initializer.kind)) {
      return Fault(fmt::format("parameter %{} has no initialiser", SpellName(p.name)));
    }
    if (const std::string fault = TypeFault(p.type); !fault.empty()) {
      return Fault(
          fmt::format("parameter %{}: {}: {}", SpellName(p.name), ToString(p.type), fault));
    }
    if (!parameters.emplace(p.name, &p).second) {
      return Fault(fmt::format("two parameters are named %{}", SpellName(p.name)));
    }
  }
  absl::flat_hash_set<std::string> names;
  for (const auto& f : module.functions()) {
    if (!names.insert(f->name()).second) {
      return Fault(fmt::format("two functions are named @{}", SpellName(f->name())));
    }
  }
  if (absl::Status status = CheckReferences(module); !status.ok()) return status;
  for (const auto& f : module.functions()) {
    if (absl::Status status = Verify(*f, &module); !status.ok()) return status;
    if (f->kind() != FunctionKind::kGraph) continue;
    for (int i = 0; i < f->num_args(); ++i) {
      const auto p = parameters.find(f->arg(i).node()->name());
      if (p == parameters.end() || p->second->type == f->arg(i).type()) continue;
      return Fault(fmt::format("@{} takes %{} as {}, the parameter of that name is {}", f->name(),
                               SpellName(p->first), ToString(f->arg(i).type()),
                               ToString(p->second->type)));
    }
  }
  return absl::OkStatus();
}

}  // namespace gradus::ir
