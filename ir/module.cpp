#include "ir/module.h"

#include <algorithm>

#include "fmt/format.h"
#include "ir/check.h"
#include "ir/loop/entry_plan.h"
#include "ir/loop/kernel.h"
#include "ir/loop/plan.h"

namespace gradus::ir {

Function& Module::AddFunction(std::string name, FunctionKind kind) {
  IR_CHECK_MSG(Find(name) == nullptr, name);
  by_name_.emplace(name, functions_.size());
  functions_.push_back(std::make_unique<Function>(std::move(name), kind));
  functions_.back()->module_ = this;
  return *functions_.back();
}

std::string Module::UniqueName(std::string_view stem) const {
  std::string name(stem);
  for (int i = 1; by_name_.contains(name); ++i) name = fmt::format("{}_{}", stem, i);
  return name;
}

Function* Module::Find(std::string_view name) const {
  const auto it = by_name_.find(std::string(name));
  return it == by_name_.end() ? nullptr : functions_[it->second].get();
}

void Module::EraseFunction(const Function* function) {
  std::erase_if(functions_, [&](const auto& f) { return f.get() == function; });
  by_name_.clear();
  for (size_t i = 0; i < functions_.size(); ++i) by_name_.emplace(functions_[i]->name(), i);
}

Function& Module::AddCopy(const Function& from, std::string name) {
  Function& to = AddFunction(std::move(name), from.kind());
  std::vector<Value> args;
  for (int i = 0; i < from.num_args(); ++i) {
    const Node& a = *from.arg(i).node();
    args.push_back(to.AddArgument(a.name(), a.type(), a.location()));
  }
  const std::vector<Value> results = InlineInto(to, from, args);
  for (size_t i = 0; i < results.size(); ++i) {
    to.AddResult(results[i], from.results()[i].name, from.results()[i].alias);
  }
  return to;
}

std::unique_ptr<Module> Module::Clone() const {
  auto copy = std::make_unique<Module>(name_);
  copy->parameters_ = parameters_;
  for (const auto& f : functions_) copy->AddCopy(*f, f->name());
  return copy;
}

std::vector<Value> InlineInto(Function& to, const Function& from, std::span<const Value> args) {
  IR_CHECK(static_cast<int>(args.size()) == from.num_args());
  std::vector<Node*> mapped(static_cast<size_t>(from.id_bound()), nullptr);
  auto map = [&](Value v) {
    const int argument = from.ArgumentIndex(v);
    if (argument >= 0) return args[static_cast<size_t>(argument)];
    return Value(mapped[static_cast<size_t>(v.node()->id())], v.result());
  };
  for (const auto& node : from.nodes()) {
    absl::InlinedVector<Value, 4> operands;
    for (const Value v : node->operands()) operands.push_back(map(v));
    mapped[static_cast<size_t>(node->id())] =
        to.Append(node->op(), {operands.data(), operands.size()}, node->attrs(), node->types(),
                  node->location());
  }
  std::vector<Value> results;
  results.reserve(from.results().size());
  for (const Result& r : from.results()) results.push_back(map(r.value));
  return results;
}

}  // namespace gradus::ir
