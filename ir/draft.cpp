#include "ir/draft.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "fmt/format.h"
#include "ir/builder.h"
#include "ir/literal.h"

namespace gradus::ir {
namespace {

// One body, whose callees are complete.
class BodyBuilder {
 public:
  BodyBuilder(Module& module, const SourceText& source, FunctionDraft& draft)
      : module_(module), source_(source), draft_(draft), function_(*draft.function) {}

  std::optional<Diagnostic> Process() {
    nodes_.reserve(draft_.nodes.size());
    for (NodeDraft& node : draft_.nodes) {
      if (auto error = Build(node)) return error;
    }
    return Results();
  }

 private:
  std::optional<Diagnostic> Build(NodeDraft& draft) {
    absl::InlinedVector<Value, 4> operands;
    for (const UseDraft& use : draft.operands) {
      operands.push_back(use.literal.empty() ? Resolve(use) : Value());
    }
    if (auto error = Literals(draft, {operands.data(), operands.size()})) return error;
    Diagnostic error;
    Node* node = TryEmit(function_, *draft.op, {operands.data(), operands.size()},
                         std::move(draft.attrs), draft.location, &module_, &error);
    if (node == nullptr) {
      Diagnostic d = source_.Error(draft.place, std::move(error.message), std::move(error.help));
      d.notes.insert(d.notes.end(), error.notes.begin(), error.notes.end());
      return d;
    }
    nodes_.push_back(node);
    const auto given = static_cast<size_t>(node->num_results());
    if (draft.nested) {
      if (given == 1) return std::nullopt;
      return source_.Error(
          draft.place,
          fmt::format("{}: has {} results, an operand is one value", draft.op->name, given),
          "give it a line of its own, and say which result: %0#0");
    }
    if (given != draft.types.size()) {
      return source_.Error(draft.type_place,
                           fmt::format("{}: has {} result{}, the text says {}", draft.op->name,
                                       given, given == 1 ? "" : "s", draft.types.size()));
    }
    for (size_t i = 0; i < given; ++i) {
      if (node->types()[i] == draft.types[i]) continue;
      return source_.Error(
          draft.type_place,
          fmt::format("{}: the result is {}, the text says {}", draft.op->name,
                      ToString(node->types()[i]), ToString(draft.types[i])),
          fmt::format("write {}, or change the operands", ToString(node->types()[i])));
    }
    return std::nullopt;
  }

  // Fills in the operands that are numbers: constants of the type of the last operand that is none.
  std::optional<Diagnostic> Literals(const NodeDraft& draft, std::span<Value> operands) {
    const Type* type = nullptr;
    for (const Value& v : operands) {
      if (v) type = &v.type();
    }
    for (size_t i = 0; i < operands.size(); ++i) {
      const UseDraft& use = draft.operands[i];
      if (use.literal.empty()) continue;
      if (type == nullptr) {
        return source_.Error(
            use.place,
            fmt::format("{}: the type of {} is not known, for no operand is a value",
                        draft.op->name, use.literal),
            fmt::format("a number has the type of the last operand that is none; use a node '%0 = "
                        "{} {{...}} : type'",
                        LiteralOp().name));
      }
      absl::StatusOr<AttrList> attrs = LiteralAttrs(use.literal, *type);
      if (!attrs.ok()) {
        return source_.Error(
            use.place, fmt::format("{}: {}", draft.op->name, std::string(attrs.status().message())),
            "a number has the type of the last operand that is none");
      }
      std::string key = ToString(*type);
      for (const NamedAttribute& a : *attrs) key += " " + ToString(a.value);
      Value& literal = literals_[key];
      if (!literal) {
        Diagnostic error;
        Node* node = TryEmit(function_, LiteralOp(), {}, *std::move(attrs), draft.location,
                             &module_, &error);
        if (node == nullptr) {
          return source_.Error(use.place, fmt::format("{}: {}", draft.op->name, error.message));
        }
        literal = node->result();
      }
      operands[i] = literal;
    }
    return std::nullopt;
  }

  std::optional<Diagnostic> Results() {
    if (draft_.returns.size() != draft_.results.size()) {
      return source_.Error(draft_.return_place,
                           fmt::format("@{} has {} results, 'return' gives {}", function_.name(),
                                       draft_.results.size(), draft_.returns.size()));
    }
    for (size_t i = 0; i < draft_.results.size(); ++i) {
      ResultDraft& result = draft_.results[i];
      const Value value = Resolve(draft_.returns[i]);
      if (value.type() != result.type) {
        return source_.Error(
            draft_.returns[i].place,
            fmt::format("result {} of @{} is {}, this value is {}", i, function_.name(),
                        ToString(result.type), ToString(value.type())));
      }
      function_.AddResult(value, std::move(result.name), result.alias);
    }
    return std::nullopt;
  }

  Value Resolve(const UseDraft& use) const {
    if (use.node < 0) return function_.arg(use.index);
    return nodes_[static_cast<size_t>(use.node)]->result(use.index);
  }

  Module& module_;
  const SourceText& source_;
  FunctionDraft& draft_;
  Function& function_;
  std::vector<Node*> nodes_;
  absl::flat_hash_map<std::string, Value> literals_;  // by type and number
};

struct Reference {
  size_t callee;
  TextPlace place;
};

}  // namespace

std::optional<Diagnostic> BuildFunctions(Module& module, const SourceText& source,
                                         std::vector<FunctionDraft>& drafts) {
  // 1. Who names whom.
  absl::flat_hash_map<std::string, size_t> index;
  for (size_t i = 0; i < drafts.size(); ++i) index[drafts[i].function->name()] = i;
  std::vector<std::vector<Reference>> references(drafts.size());
  for (size_t i = 0; i < drafts.size(); ++i) {
    for (const NodeDraft& node : drafts[i].nodes) {
      for (const NamedAttribute& a : node.attrs) {
        const auto* callee = std::get_if<FunctionRef>(&a.value);
        if (callee == nullptr) continue;
        const auto found = index.find(callee->name);
        if (found == index.end()) {
          return source.Error(
              node.place, fmt::format("{}: there is no function @{}", node.op->name, callee->name));
        }
        references[i].push_back({found->second, node.place});
      }
    }
  }
  // 2. Callees first: depth first, with a stack of our own. A function met while it is open is part
  // of a circle.
  enum : char { kNew, kOpen, kDone };
  std::vector<char> state(drafts.size(), kNew);
  std::vector<std::pair<size_t, size_t>> stack;  // function, its next reference
  for (size_t root = 0; root < drafts.size(); ++root) {
    if (state[root] == kNew) {
      state[root] = kOpen;
      stack.emplace_back(root, 0);
    }
    while (!stack.empty()) {
      auto& [f, next] = stack.back();
      if (next < references[f].size()) {
        const Reference& reference = references[f][next++];
        if (state[reference.callee] == kOpen) {
          return source.Error(reference.place,
                              fmt::format("@{} calls itself, directly or through others: "
                                          "recursion cannot be compiled",
                                          drafts[reference.callee].function->name()));
        }
        if (state[reference.callee] == kNew) {
          state[reference.callee] = kOpen;
          stack.emplace_back(reference.callee, 0);
        }
        continue;
      }
      if (auto error = BodyBuilder(module, source, drafts[f]).Process()) return error;
      state[f] = kDone;
      stack.pop_back();
    }
  }
  return std::nullopt;
}

}  // namespace gradus::ir
