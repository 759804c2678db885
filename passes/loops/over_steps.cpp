#include "passes/loops/over_steps.h"

#include <vector>

#include "ir/ops/movement.h"
#include "ir/ops/scan.h"

namespace gradus::passes {

using ir::Value;

bool CanDo(ir::OverStepsRule rule, const ir::Node& step, std::span<const bool> stacked,
           const ir::Dim& length) {
  if (rule == nullptr) return false;
  ir::Function alone("steps");
  std::vector<Value> operands;
  for (int i = 0; i < step.num_operands(); ++i) {
    const ir::Type& type = step.operand(i).type();
    operands.push_back(
        alone.AddArgument("x", stacked[static_cast<size_t>(i)] ? Stacked(length, type) : type));
  }
  const Value v = rule({&step, operands, stacked});
  return v && !v.is_poison();
}

Value AllSteps(ir::Function& f, const ir::Node& step, std::span<const Value> operands,
               std::span<const bool> stacked, const ir::Dim& length) {
  if (step.op().over_steps != nullptr) return step.op().over_steps({&step, operands, stacked});
  std::vector<Value> all;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (stacked[i]) {
      all.push_back(operands[i]);
      continue;
    }
    ir::Axes axes;
    for (int axis = 0; axis < operands[i].rank(); ++axis) axes.push_back(axis + 1);
    all.push_back(ir::broadcast(operands[i], Stacked(length, operands[i].type()).shape, axes));
  }
  const ir::Type type = Stacked(length, step.type());
  return f.Append(step.op(), all, step.attrs(), std::span(&type, 1), step.location())->result();
}

}  // namespace gradus::passes
