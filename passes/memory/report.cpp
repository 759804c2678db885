#include "passes/memory/report.h"

#include <algorithm>
#include <vector>

#include "fmt/format.h"
#include "ir/loop/entry_plan.h"
#include "ir/loop/kernel.h"
#include "passes/memory/workspace.h"

namespace gradus::passes {
namespace {

using loop::EntryPlan;

struct Moved {
  int64_t count = 0, bytes = 0;
};

// Stores what it loads.
bool OnlyMoves(const loop::Kernel& kernel) {
  return std::ranges::all_of(
      kernel.stores, [](const loop::Store& s) { return s.value->kind == loop::ScalarKind::kLoad; });
}

std::string LineOf(const EntryPlan& plan, const PassContext& context) {
  const loop::SizeOf size = [&](ir::Symbol s) { return context.SizeOf(s.name()); };
  std::string symbols;
  for (const ir::Symbol s : plan.symbols) {
    symbols += fmt::format("{}{} = {}", symbols.empty() ? " at " : ", ", s.name(), size(s));
  }
  Moved copies, kernels;
  std::vector<int64_t> times = {1};  // that the steps of a loop run, and of those around it
  for (const loop::EntryStep& step : plan.steps) {
    const auto place = [&](int i) -> const loop::Place& {
      return plan.places[static_cast<size_t>(i)];
    };
    if (const auto* copy = std::get_if<loop::CopyStep>(&step)) {
      copies.count += times.back();
      copies.bytes += times.back() * ValueAt(BytesOf(place(copy->from).type), size);
    } else if (const auto* call = std::get_if<loop::KernelCall>(&step)) {
      if (!OnlyMoves(*call->kernel->kernel)) continue;
      kernels.count += times.back();
      for (size_t i = static_cast<size_t>(call->kernel->num_args()); i < call->places.size(); ++i) {
        kernels.bytes += times.back() * ValueAt(BytesOf(place(call->places[i]).type), size);
      }
    } else if (const auto* begin = std::get_if<loop::LoopBegin>(&step)) {
      times.push_back(times.back() * ValueAt(loop::SizeTerm{1, {begin->count}}, size));
    } else if (std::holds_alternative<loop::LoopEnd>(step)) {
      times.pop_back();
    }
  }
  const int64_t bytes = ValueAt(plan.workspace, size), live = ValueAt(plan.live, size);
  std::string text =
      fmt::format("arena {}{}, live lower bound {} ({:.2f})", loop::FormatBytes(bytes), symbols,
                  loop::FormatBytes(live),
                  live == 0 ? 1 : static_cast<double>(bytes) / static_cast<double>(live));
  const auto add = [&](const Moved& m, std::string_view one, std::string_view many) {
    if (m.count == 0) return;
    text +=
        fmt::format("; {} {}, {}", m.count, m.count == 1 ? one : many, loop::FormatBytes(m.bytes));
  };
  add(copies, "plain copy", "plain copies");
  add(kernels, "moving kernel", "moving kernels");
  return text;
}

}  // namespace

std::string MemoryReport(const ir::Module& module, const PassContext& context) {
  std::string text;
  for (const auto& f : module.functions()) {
    if (f->entry == nullptr) continue;
    text += fmt::format("@{}: {}\n", f->name(), LineOf(*f->entry, context));
  }
  return text;
}

}  // namespace gradus::passes
