#include "frontend/fused_layers.h"

#include <algorithm>
#include <set>
#include <vector>

#include "fmt/format.h"
#include "ir/op_def.h"
#include "passes/pipelines.h"

namespace gradus {
namespace {

using ir::Function;

const Function* CalleeOf(const ir::Module& module, const ir::Node& node) {
  return node.op().has(ir::kCall) ? module.Find(node.attr<ir::FunctionRef>("callee").name)
                                  : nullptr;
}

// The layers of a function's nodes and of what it calls.
std::set<std::string, std::less<>> LayersIn(const ir::Module& module, const Function& function) {
  std::set<std::string, std::less<>> layers;
  std::vector<const Function*> open = {&function};
  std::set<const Function*> seen = {&function};
  while (!open.empty()) {
    const Function& f = *open.back();
    open.pop_back();
    for (const auto& node : f.nodes()) {
      layers.emplace(node->location().scope_name());
      const Function* callee = CalleeOf(module, *node);
      if (callee != nullptr && seen.insert(callee).second) open.push_back(callee);
    }
  }
  return layers;
}

std::string Listed(const std::vector<std::string>& names) {
  constexpr size_t kMaxShown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kMaxShown); ++i) {
    text += (i > 0 ? ", " : "") + names[i];
  }
  if (names.size() > kMaxShown) text += fmt::format(", {} more", names.size() - kMaxShown);
  return text;
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string, std::less<>>> FusedLayers(
    ir::Module& module, const std::string& function, const std::string& pipeline,
    const ir::Target& target) {
  passes::PassContext context;
  context.target = target;
  // Kernels are what the names are of; of the default pipeline, what follows does not change them.
  const std::string names = pipeline == "default" ? "graph,form-kernels" : pipeline;
  if (absl::Status s = passes::RunPipeline(module, names, context, {.verify_each = false});
      !s.ok()) {
    return s;
  }
  const Function* entry = module.Find(function);
  if (entry == nullptr) {
    return absl::InternalError(fmt::format("the module has no function {}", function));
  }
  std::map<std::string, std::vector<std::string>, std::less<>> kernels;
  std::set<const Function*> seen;
  for (const auto& node : entry->nodes()) {
    const Function* callee = CalleeOf(module, *node);
    if (callee == nullptr) continue;
    std::set<std::string, std::less<>> layers = {std::string(node->location().scope_name())};
    // Equal kernels are one function, whose nodes are of the layer that came first.
    if (seen.insert(callee).second) layers.merge(LayersIn(module, *callee));
    const std::string name = (callee->is_graph() ? "loop " : "") + callee->name();
    for (const std::string& layer : layers) {
      std::vector<std::string>& list = kernels[layer];
      if (std::ranges::find(list, name) == list.end()) list.push_back(name);
    }
  }
  std::map<std::string, std::string, std::less<>> text;
  for (const auto& [layer, list] : kernels) text.emplace(layer, Listed(list));
  return text;
}

}  // namespace gradus
