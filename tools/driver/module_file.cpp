#include "tools/driver/module_file.h"

#include <charconv>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"
#include "ir/op_def.h"
#include "ir/parser.h"
#include "passes/autodiff.h"
#include "passes/inline_calls.h"
#include "runtime/files.h"

namespace gradus::tools {
namespace {

std::string ArgumentNames(const ir::Function& f) {
  std::string text;
  for (int i = 0; i < f.num_args(); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", f.arg(i).node()->name());
  }
  return text.empty() ? "none" : text;
}

std::string ResultNames(const ir::Function& f) {
  std::string text;
  for (size_t i = 0; i < f.results().size(); ++i) {
    const std::string& name = f.results()[i].name;
    text += fmt::format("{}{}", i == 0 ? "" : ", ", name.empty() ? fmt::format("{}", i) : name);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ir::Module>> ReadModule(const std::string& path) {
  absl::StatusOr<std::string> text = runtime::ReadFile(path == "-" ? "/dev/stdin" : path);
  if (!text.ok()) return text.status();
  return ir::Parse(*text, path == "-" ? "<stdin>" : path);
}

absl::StatusOr<ir::Function*> ChooseFunction(ir::Module& module, std::string_view name) {
  absl::flat_hash_set<std::string> called;
  std::string names;
  for (const auto& f : module.functions()) {
    for (const auto& node : f->nodes()) {
      for (const ir::NamedAttribute& a : node->attrs()) {
        if (const auto* callee = std::get_if<ir::FunctionRef>(&a.value))
          called.insert(callee->name);
      }
    }
    if (f->kind() == ir::FunctionKind::kGraph) {
      names += fmt::format("{}@{}", names.empty() ? "" : ", ", f->name());
    }
  }
  if (!name.empty()) {
    if (name.starts_with('@')) name.remove_prefix(1);
    ir::Function* f = module.Find(name);
    if (f != nullptr && f->kind() == ir::FunctionKind::kGraph) return f;
    return absl::NotFoundError(fmt::format("module @{} has no function @{}\n  help: it has {}",
                                           module.name(), name, names.empty() ? "none" : names));
  }
  ir::Function* only = nullptr;
  for (const auto& f : module.functions()) {
    if (f->kind() != ir::FunctionKind::kGraph || called.contains(f->name())) continue;
    if (only != nullptr) {
      return absl::InvalidArgumentError(fmt::format(
          "module @{} has several functions\n  help: choose one of {} with --function=NAME",
          module.name(), names));
    }
    only = f.get();
  }
  if (only != nullptr) return only;
  return absl::InvalidArgumentError(
      fmt::format("module @{} has no function to run", module.name()));
}

absl::StatusOr<int> FindResult(const ir::Function& function, std::string_view result) {
  for (size_t i = 0; i < function.results().size(); ++i) {
    if (function.results()[i].name == result) return static_cast<int>(i);
  }
  int index = -1;
  const auto [end, error] = std::from_chars(result.data(), result.data() + result.size(), index);
  const bool number = error == std::errc() && end == result.data() + result.size();
  if (number && index >= 0 && index < static_cast<int>(function.results().size())) return index;
  return absl::InvalidArgumentError(fmt::format("@{} has no result '{}'\n  help: it has {}",
                                                function.name(), result, ResultNames(function)));
}

std::vector<std::string> SplitNames(std::string_view names) {
  std::vector<std::string> parts;
  while (!names.empty()) {
    const size_t comma = std::min(names.find(','), names.size());
    if (comma > 0) parts.emplace_back(names.substr(0, comma));
    names.remove_prefix(std::min(comma + 1, names.size()));
  }
  return parts;
}

absl::Status ReplaceByGradient(ir::Module& module, ir::Function& function, std::string_view result,
                               std::string_view wanted) {
  absl::StatusOr<int> index = FindResult(function, result);
  if (!index.ok()) return index.status();
  const auto place = static_cast<size_t>(*index);
  std::vector<std::string> names = SplitNames(wanted);
  if (names.empty()) {
    for (int i = 0; i < function.num_args(); ++i) {
      if (ir::IsFloat(function.arg(i).dtype())) names.push_back(function.arg(i).node()->name());
    }
  }
  std::vector<ir::Value> arguments;
  for (std::string& name : names) {
    if (name.starts_with('%')) name.erase(0, 1);
    const ir::Value v = function.FindArgument(name);
    if (!v) {
      return absl::InvalidArgumentError(fmt::format("@{} has no argument '{}'\n  help: it has {}",
                                                    function.name(), name,
                                                    ArgumentNames(function)));
    }
    if (!ir::IsFloat(v.dtype())) {
      return absl::InvalidArgumentError(
          fmt::format("argument '{}' of @{} is {}: gradients exist for f32 and f64 alone", name,
                      function.name(), ir::ToString(v.type())));
    }
    arguments.push_back(v);
  }
  // Calls are not differentiated: what they do is, once it stands in this function.
  if (absl::StatusOr<bool> inlined = passes::InlineCalls(module, {}); !inlined.ok()) {
    return inlined.status();
  }
  const ir::Value value = function.results()[place].value;
  if (!ir::IsFloat(value.dtype()) || value.rank() != 0) {
    return absl::InvalidArgumentError(
        fmt::format("--grad: result '{}' of @{} is {}, expected a scalar of f32 or f64", result,
                    function.name(), ir::ToString(value.type())));
  }
  absl::StatusOr<std::vector<ir::Value>> gradients = passes::Gradients(value, arguments);
  if (!gradients.ok()) return gradients.status();
  function.results().clear();
  for (size_t i = 0; i < gradients->size(); ++i) {
    function.AddResult((*gradients)[i], "d_" + names[i]);
  }
  return absl::OkStatus();
}

}  // namespace gradus::tools
