#include "frontend/kernel_trials.h"

#include <algorithm>
#include <utility>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "ir/loop/plan.h"
#include "ir/module.h"
#include "ir/ops/structure.h"
#include "passes/pipelines.h"
#include "passes/scheduling/kernel_scheduler.h"

namespace gradus {
namespace {

// What the default pipeline does with kernels.
constexpr std::string_view kPasses = "lower-to-loops,schedule,split-steps,plan-memory,split-rows";

// All that was decided for the kernel where the program calls it: alone it might be planned
// otherwise.
absl::StatusOr<KernelChoices> Resolve(const KernelUse& use, const ir::Target& target,
                                      const KernelChoices& choices) {
  auto plan = passes::scheduling::ScheduleKernel(*use.kernel->kernel, target, use.in_loop, choices);
  if (!plan.ok()) return plan.status();
  KernelChoices all;
  for (const loop::Step& step : (*plan)->steps) {
    const auto* c = std::get_if<loop::Contraction>(&step);
    if (c != nullptr) all.push_back(passes::scheduling::ChoiceOf(*c));
  }
  return all;
}

// The symbols of all types in the kernel.
std::vector<ir::Symbol> SymbolsOf(const ir::Function& kernel) {
  std::vector<ir::Symbol> symbols;
  const auto add = [&](const ir::Type& type) {
    for (const ir::Dim& d : type.shape) {
      if (d.is_symbol() && std::ranges::find(symbols, d.symbol()) == symbols.end()) {
        symbols.push_back(d.symbol());
      }
    }
  };
  for (int i = 0; i < kernel.num_args(); ++i) add(kernel.arg(i).type());
  for (const auto& node : kernel.nodes()) {
    for (const ir::Type& type : node->types()) add(type);
  }
  return symbols;
}

// An entry that calls the kernel. Symbols that no argument of the kernel has get one of their own.
const ir::Function& AddEntry(ir::Module& module, const ir::Function& kernel, const KernelUse& use,
                             const std::string& name) {
  ir::Function& entry = module.AddFunction(name);
  std::vector<ir::Value> arguments;
  for (int i = 0; i < kernel.num_args(); ++i) {
    arguments.push_back(entry.AddArgument(fmt::format("a{}", i), kernel.arg(i).type()));
  }
  for (const ir::Symbol symbol : SymbolsOf(kernel)) {
    const bool known = std::ranges::any_of(arguments, [&](const ir::Value v) {
      return std::ranges::any_of(
          v.shape(), [&](const ir::Dim& d) { return d.is_symbol() && d.symbol() == symbol; });
    });
    if (known) continue;
    const ir::Type type{ir::DType::kI1, ir::Shape{ir::Dim(symbol)}};
    entry.AddArgument(fmt::format("size_{}", symbol.name()), type);
  }
  ir::Node* call = ir::call(entry, kernel, arguments);
  for (int r = 0; r < call->num_results(); ++r) {
    const auto place = use.in_place.find(r);
    entry.AddResult(call->result(r), "", place == use.in_place.end() ? -1 : place->second);
  }
  return entry;
}

}  // namespace

absl::StatusOr<CallTrials> TryKernel(const KernelUse& use, const passes::PassContext& context,
                                     std::span<const KernelChoices> schedules) {
  ir::Module module("tuning");
  passes::PassContext own = context;
  own.choices.clear();
  own.max_arena = 0;
  const ir::Function* entry = nullptr;
  for (size_t i = 0; i < schedules.size(); ++i) {
    const std::string name = fmt::format("kernel{}", i);
    auto all = Resolve(use, context.target, schedules[i]);
    if (!all.ok()) return all.status();
    own.choices[name] = *std::move(all);
    entry = &AddEntry(module, module.AddCopy(*use.kernel, name), use, fmt::format("call{}", i));
  }
  if (entry == nullptr) return absl::InvalidArgumentError("tune: no schedule to compile");
  if (absl::Status s = passes::RunPipeline(module, kPasses, own, {.verify_each = false}); !s.ok()) {
    return s;
  }
  codegen::CodegenOptions options;
  options.target = context.target;
  auto entries = codegen::CompileAndLoad(module, options);
  if (!entries.ok()) return entries.status();
  std::vector<runtime::Executable> executables;
  for (size_t i = 0; i < schedules.size(); ++i) {
    const std::string name = fmt::format("call{}", i);
    const auto found = std::ranges::find(*entries, name, &codegen::LoadedEntry::name);
    if (found == entries->end()) return absl::InternalError("tune: an entry is gone");
    executables.push_back(found->executable);
  }
  return CallTrials::Create(executables, *entry, use.others_bytes, context);
}

}  // namespace gradus
