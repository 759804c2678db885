#include "ir/function.h"

#include <utility>

#include "ir/loop/entry_plan.h"
#include "ir/loop/kernel.h"
#include "ir/loop/plan.h"
#include "ir/op_def.h"

namespace gradus::ir {
namespace {

constinit const OpDef kPoison{
    .name = "poison",
    .summary = "the result of an op after an error; never in a valid function",
};

}  // namespace

constinit const OpDef kArgument{
    .name = "argument",
    .summary = "an argument of the function; not an instruction",
    .traits = kArgumentTrait,
};

bool Value::is_poison() const { return node_ != nullptr && &node_->op() == &kPoison; }

bool Node::is_argument() const { return op_ == &kArgument; }

const Attribute* Node::FindAttr(std::string_view name) const {
  for (const NamedAttribute& a : attrs_) {
    if (a.name == name) return &a.value;
  }
  return nullptr;
}

void Node::set_attr(std::string_view name, Attribute value) {
  for (NamedAttribute& a : attrs_) {
    if (a.name == name) {
      a.value = std::move(value);
      return;
    }
  }
  IR_CHECK_MSG(false, name);
}

Function::Function(std::string name, FunctionKind kind) : name_(std::move(name)), kind_(kind) {}
Function::~Function() = default;

Value Function::AddArgument(std::string name, Type type, Location location) {
  auto node = std::unique_ptr<Node>(new Node());
  node->op_ = &kArgument;
  node->id_ = next_id_++;
  node->types_.push_back(std::move(type));
  node->location_ = std::move(location);
  node->function_ = this;
  node->name_ = std::move(name);
  args_.push_back(std::move(node));
  return Value(args_.back().get(), 0);
}

int Function::ArgumentIndex(Value v) const {
  if (!v || !v.node()->is_argument()) return -1;
  for (size_t i = 0; i < args_.size(); ++i) {
    if (args_[i].get() == v.node()) return static_cast<int>(i);
  }
  return -1;
}

Value Function::FindArgument(std::string_view name) const {
  for (const auto& a : args_) {
    if (a->name_ == name) return Value(a.get(), 0);
  }
  return {};
}

Node* Function::Append(const OpDef& op, std::span<const Value> operands, AttrList attrs,
                       std::span<const Type> types, Location location) {
  auto node = std::unique_ptr<Node>(new Node());
  node->op_ = &op;
  node->id_ = next_id_++;
  node->operands_.assign(operands.begin(), operands.end());
  node->attrs_ = std::move(attrs);
  node->types_.assign(types.begin(), types.end());
  node->location_ = std::move(location);
  node->function_ = this;
  nodes_.push_back(std::move(node));
  return nodes_.back().get();
}

void Function::ExtendResults(Node& node, std::span<const Type> types) {
  node.types_.insert(node.types_.end(), types.begin(), types.end());
}

void Function::AddResult(Value value, std::string name, int alias) {
  results_.push_back({value, std::move(name), alias});
}

void Function::ReplaceUses(const std::vector<absl::InlinedVector<Value, 1>>& replacement) {
  auto follow = [&](Value v) {
    while (true) {
      const auto id = static_cast<size_t>(v.node()->id());
      if (id >= replacement.size() || replacement[id].empty()) return v;
      const Value next = replacement[id][static_cast<size_t>(v.result())];
      if (!next || next == v) return v;
      v = next;
    }
  };
  for (const auto& node : nodes_) {
    for (Value& operand : node->operands_) operand = follow(operand);
  }
  for (Result& r : results_) r.value = follow(r.value);
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): callers hand their list over
void Function::Reorder(std::vector<int> order) {
  IR_CHECK(order.size() == nodes_.size());
  std::vector<std::unique_ptr<Node>> sorted;
  sorted.reserve(nodes_.size());
  for (const int i : order) sorted.push_back(std::move(nodes_[static_cast<size_t>(i)]));
  nodes_ = std::move(sorted);
}

void Function::Erase(const std::vector<bool>& dead) {
  std::erase_if(nodes_,
                [&](const std::unique_ptr<Node>& n) { return dead[static_cast<size_t>(n->id())]; });
}

void Function::EraseArgument(int i) {
  args_.erase(args_.begin() + i);
  for (Result& r : results_) {
    IR_CHECK(r.alias != i);
    if (r.alias > i) --r.alias;
  }
}

void Function::ReplaceSymbol(Symbol symbol, int64_t size) {
  const auto replace = [&](Shape& shape) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis].is_symbol() && shape[axis].symbol() == symbol) shape[axis] = Dim(size);
    }
  };
  for (const auto* list : {&args_, &nodes_}) {
    for (const auto& node : *list) {
      for (Type& type : node->types_) replace(type.shape);
      for (NamedAttribute& attribute : node->attrs_) {
        if (auto* shape = std::get_if<Shape>(&attribute.value)) replace(*shape);
      }
    }
  }
}

void Function::ReportError(Diagnostic diagnostic) {
  if (!error_) error_ = std::move(diagnostic);
}

Value Function::poison() {
  if (!poison_) {
    poison_.reset(new Node());
    poison_->op_ = &kPoison;
    poison_->types_.push_back(Type{});
    poison_->function_ = this;
  }
  return Value(poison_.get(), 0);
}

}  // namespace gradus::ir
