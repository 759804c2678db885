#include "passes/split_steps.h"

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "ir/op_def.h"
#include "passes/threads/split_step.h"
#include "passes/threads/turns.h"

namespace gradus::passes {
namespace {

void TakeTurns(const loop::Plan& plan, loop::Nest& nest, const loop::Contraction& next,
               const PassContext& context) {
  nest.turns = ChooseTurns(plan, nest, next, context.target);
  // They are shared as the product is.
  if (nest.turns.units > 0) {
    const loop::Variable* own = nest.split.variable;
    nest.split = next.split;
    nest.split.variable = own;
  }
}

void TakeTurns(const loop::Plan&, loop::Contraction& c, const loop::Nest& next,
               const PassContext& context) {
  c.turns = ChooseTurns(c, next, context.target);
  if (c.turns.units > 0) c.split.block_units = 0;
}

// Which results of each kernel anybody reads, by the kernel's name.
using ReadResults = absl::flat_hash_map<std::string, absl::flat_hash_set<int>>;

ReadResults FindReadResults(const ir::Module& module) {
  ReadResults read;
  const auto add = [&](ir::Value v) {
    if (v.node()->is_argument() || !v.node()->op().has(ir::kCall)) return;
    read[v.node()->attr<ir::FunctionRef>("callee").name].insert(v.result());
  };
  for (const auto& function : module.functions()) {
    for (const auto& node : function->nodes()) {
      for (const ir::Value v : node->operands()) add(v);
    }
    for (const ir::Result& r : function->results()) add(r.value);
  }
  return read;
}

// What a nest along rows stores for the sums of its columns alone need not be kept.
void PassOn(ir::Function& function, const ReadResults& read) {
  loop::Plan& plan = *function.plan;
  const auto it = read.find(function.name());
  const auto is_read = [&](int buffer) {
    const loop::Buffer::Kind kind = plan.buffers[static_cast<size_t>(buffer)].kind;
    if (kind == loop::Buffer::Kind::kScratch) return false;
    if (kind == loop::Buffer::Kind::kInput || it == read.end()) return true;
    return it->second.contains(buffer - function.kernel->num_inputs);
  };
  for (loop::Step& step : plan.steps) {
    auto* nest = std::get_if<loop::Nest>(&step);
    if (nest != nullptr && nest->sums.block != nullptr) PassOnToSums(plan, *nest, is_read);
  }
}

template <typename Step>
void TakeTurns(const loop::Plan&, const Step&, const Step&, const PassContext&) {}

}  // namespace

absl::StatusOr<bool> SplitSteps(ir::Module& module, const PassContext& context) {
  bool changed = false;
  const ReadResults read = FindReadResults(module);
  for (const auto& function : module.functions()) {
    if (function->plan == nullptr) continue;
    std::vector<loop::Step>& steps = function->plan->steps;
    for (loop::Step& step : steps) {
      std::visit(
          [&](auto& s) {
            s.split = ChooseSplit(s, context.target);
            changed |= s.split.variable != nullptr;
          },
          step);
    }
    for (size_t i = 0; i + 1 < steps.size(); ++i) {
      std::visit([&](auto& step, auto& next) { TakeTurns(*function->plan, step, next, context); },
                 steps[i], steps[i + 1]);
    }
    PassOn(*function, read);
  }
  return changed;
}

}  // namespace gradus::passes
