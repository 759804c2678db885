#include "frontend/kernel_trials.h"

#include <algorithm>
#include <cstring>
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

using passes::scheduling::Choice;

// What the default pipeline does with kernels.
constexpr std::string_view kPasses = "lower-to-loops,schedule,split-steps,plan-memory,split-rows";
// Larger arrays are not made for the sake of tuning.
constexpr double kMostBytes = 8e9;

// Numbers from [0.01, 0.03), spread evenly.
template <typename T>
void FillFloats(std::span<T> data) {
  constexpr uint32_t kStep = 2654435761;  // 2^32 by the golden ratio
  uint32_t state = 1;
  for (T& x : data) {
    state += kStep;
    x = static_cast<T>(0.01) +
        static_cast<T>(0.02) * static_cast<T>(state >> 8) * static_cast<T>(0x1p-24);
  }
}

void Fill(runtime::Tensor& tensor) {
  if (tensor.dtype() == runtime::DType::kF32) return FillFloats(tensor.data<float>());
  if (tensor.dtype() == runtime::DType::kF64) return FillFloats(tensor.data<double>());
  if (tensor.raw() != nullptr) {
    std::memset(tensor.raw(), 0, static_cast<size_t>(tensor.byte_size()));
  }
}

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

absl::StatusOr<KernelTrials> KernelTrials::Create(const KernelUse& use,
                                                  const passes::PassContext& context,
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
  KernelTrials trials;
  if (absl::Status s = trials.Allocate(executables, *entry, context); !s.ok()) return s;
  return trials;
}

absl::Status KernelTrials::Allocate(std::span<const runtime::Executable> executables,
                                    const ir::Function& entry, const passes::PassContext& context) {
  const auto create = [&](const ir::Type& type) -> absl::StatusOr<runtime::Tensor> {
    std::vector<int64_t> shape;
    double bytes = static_cast<double>(ir::ByteSize(type.dtype));
    for (const ir::Dim& d : type.shape) {
      shape.push_back(d.is_symbol() ? context.SizeOf(d.symbol().name()) : d.size());
      bytes *= static_cast<double>(shape.back());
    }
    if (bytes > kMostBytes) {
      return absl::ResourceExhaustedError(
          fmt::format("tune: an array of {:.0f} bytes, {:.0f} at most", bytes, kMostBytes));
    }
    auto tensor =
        runtime::Tensor::Create(static_cast<runtime::DType>(type.dtype), std::move(shape));
    if (tensor.ok()) Fill(*tensor);
    return tensor;
  };
  for (int i = 0; i < entry.num_args(); ++i) {
    auto tensor = create(entry.arg(i).type());
    if (!tensor.ok()) return tensor.status();
    arguments_.push_back(*std::move(tensor));
  }
  std::vector<runtime::MutableTensorView> out;
  results_.reserve(entry.results().size());  // views point into them
  for (const ir::Result& result : entry.results()) {
    if (result.alias >= 0) {
      updated_.push_back(static_cast<size_t>(result.alias));
      out.emplace_back(arguments_[updated_.back()]);
      continue;
    }
    auto tensor = create(result.value.type());
    if (!tensor.ok()) return tensor.status();
    results_.push_back(*std::move(tensor));
    out.emplace_back(results_.back());
  }
  const std::vector<runtime::TensorView> in(arguments_.begin(), arguments_.end());
  int64_t most = 0;
  for (const runtime::Executable& e : executables) {
    const auto dims = e.BindSymbols(in);
    if (!dims.ok()) return dims.status();
    const auto bytes = e.WorkspaceBytes(*dims);
    if (!bytes.ok()) return bytes.status();
    most = std::max(most, *bytes);
  }
  auto workspace = runtime::AlignedBuffer::Create(most);
  if (!workspace.ok()) return workspace.status();
  workspace_ = *std::move(workspace);
  for (const runtime::Executable& e : executables) {
    auto call = e.Bind(in, out, workspace_.span());
    if (!call.ok()) return call.status();
    calls_.push_back(*std::move(call));
  }
  return absl::OkStatus();
}

absl::Status KernelTrials::Prepare(size_t schedule) {
  for (const size_t i : updated_) Fill(arguments_[i]);
  return Run(schedule);
}

}  // namespace gradus
