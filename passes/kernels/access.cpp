#include "passes/kernels/access.h"

#include <algorithm>

#include "ir/loop/lowerer.h"
#include "ir/loop/walk.h"
#include "ir/op_def.h"

namespace gradus::passes {

std::vector<AxisUse> AxisUses(const ir::Node& node, int operand) {
  ir::Function alone("access", ir::FunctionKind::kKernel);
  std::vector<ir::Value> operands;
  for (const ir::Value v : node.operands()) operands.push_back(alone.AddArgument("x", v.type()));
  alone.AddResult(
      alone.Append(node.op(), operands, node.attrs(), node.types(), node.location())->result());
  std::vector<AxisUse> uses(static_cast<size_t>(node.operand(operand).rank()));
  const auto kernel = loop::Lower(alone);
  IR_CHECK_MSG(kernel.ok(), kernel.status().message().data());
  const loop::Store& store = (*kernel)->stores[0];

  std::vector<const loop::Variable*> reduced;  // in the order of the reductions that bind them
  std::vector<const loop::Scalar*> loads;
  loop::ForEachReached(store.value, [&](const loop::Scalar* s) {
    reduced.insert(reduced.end(), s->variables.begin(), s->variables.end());
    if (s->reads_buffer() && s->buffer == operand) loads.push_back(s);
  });
  auto bit = [](const auto& list, const loop::Variable* v) -> uint32_t {
    const auto at = std::find(list.begin(), list.end(), v);
    return at == list.end() ? 0 : uint32_t{1} << std::min<int64_t>(at - list.begin(), 31);
  };
  for (const loop::Scalar* load : loads) {
    for (size_t axis = 0; axis < uses.size(); ++axis) {
      const auto variables = loop::LoopVariables(load->indices[axis]);
      if (!variables.empty() && !(load->indices[axis] == loop::Index(variables[0]))) {
        uses[axis].plain = false;
      }
      if (load->kind == loop::ScalarKind::kGather && static_cast<size_t>(load->integer) == axis) {
        uses[axis].plain = false;
      }
      for (const loop::Variable* v : variables) {
        uses[axis].result_axes |= bit(store.variables, v);
        uses[axis].reduced |= bit(reduced, v);
      }
    }
  }
  return uses;
}

bool ReducesAlong(const ir::Node& node, bool columns) {
  if (node.num_operands() == 0) return false;
  const std::vector<AxisUse> uses = AxisUses(node, 0);
  if (uses.size() < 2) return false;
  const AxisUse& reduced = columns ? uses.front() : uses.back();
  const AxisUse& left = columns ? uses.back() : uses.front();
  return reduced.reduced != 0 && reduced.result_axes == 0 && left.reduced == 0 &&
         left.result_axes != 0;
}

int SpannedAxes(const ir::Type& type) {
  return static_cast<int>(
      std::ranges::count_if(type.shape, [](const ir::Dim& d) { return !(d == ir::Dim(1)); }));
}

bool IsCheap(const ir::Node& node) {
  return node.op().has(ir::kPointwise) && !node.op().has(ir::kTranscendental);
}

}  // namespace gradus::passes
