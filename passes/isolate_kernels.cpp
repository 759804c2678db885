#include "passes/isolate_kernels.h"

#include "ir/op_def.h"
#include "passes/kernels/outline.h"

namespace gradus::passes {
namespace {

FunctionCut OneOpAKernel(const ir::Function& f) {
  FunctionCut cut;
  cut.copied.assign(static_cast<size_t>(f.id_bound()), false);
  std::vector<bool> is_result(static_cast<size_t>(f.id_bound()), false);
  for (const ir::Result& r : f.results())
    is_result[static_cast<size_t>(r.value.node()->id())] = true;
  for (const auto& node : f.nodes()) {  // what is passed to a function must be stored, too
    if (!node->op().has(ir::kCall)) continue;
    for (const ir::Value v : node->operands())
      is_result[static_cast<size_t>(v.node()->id())] = true;
  }
  for (const auto& node : f.nodes()) {
    if (node->op().has(ir::kCall)) continue;
    const bool leaf = node->op().has(ir::kLeaf);
    cut.copied[static_cast<size_t>(node->id())] = leaf;
    if (leaf && !is_result[static_cast<size_t>(node->id())]) continue;
    KernelCut kernel;
    kernel.nodes.push_back(node.get());
    for (int r = 0; r < node->num_results(); ++r) kernel.outputs.push_back(node->result(r));
    cut.kernels.push_back(std::move(kernel));
  }
  return cut;
}

}  // namespace

absl::StatusOr<bool> IsolateKernels(ir::Module& module, const PassContext&) {
  return OutlineGraphs(module, OneOpAKernel);
}

}  // namespace gradus::passes
