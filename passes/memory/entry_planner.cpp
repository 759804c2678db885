#include "passes/memory/entry_planner.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "ir/loop/entry_plan.h"
#include "ir/ops/scan.h"
#include "passes/memory/call_order.h"
#include "passes/memory/function_planner.h"

namespace gradus::passes {
namespace {

using ir::Function;
using loop::Place;

// Plans one entry:
// 1. symbols, in the order of the arguments' types;
// 2. the order of the calls, and which updates happen in place (call_order.h);
// 3. places of arguments and results;
// 4. the calls, loops over time within them (function_planner.h).
class EntryPlanner {
 public:
  EntryPlanner(const Function& function, const ir::Module& module, const loop::SizeOf& sizes,
               CallPriority priority)
      : function_(function), module_(module), sizes_(sizes), priority_(priority) {}

  absl::StatusOr<PlannedEntry> Process(bool layout) {
    for (int i = 0; i < function_.num_args(); ++i) {
      for (const ir::Dim& d : function_.arg(i).shape()) {
        if (d.is_symbol() && !Knows(d.symbol())) symbols().push_back(d.symbol());
      }
    }
    if (absl::Status s = CheckSymbols(); !s.ok()) return s;
    std::vector<int> memory;
    for (const ir::Result& r : function_.results()) memory.push_back(r.alias);
    CallOrder order = OrderCalls(function_, module_, memory, priority_, sizes_);
    std::vector<int> arguments;
    for (int i = 0; i < function_.num_args(); ++i) {
      arguments.push_back(builder_.AddPlace(Place::Kind::kArgument, i, function_.arg(i).type()));
    }
    std::vector<Destination> destinations;
    for (size_t i = 0; i < memory.size(); ++i) {
      Destination to{.argument = memory[i]};
      to.place = memory[i] >= 0 ? arguments[static_cast<size_t>(memory[i])]
                                : builder_.AddPlace(Place::Kind::kResult, static_cast<int>(i),
                                                    function_.results()[i].value.type());
      destinations.push_back(to);
    }
    FunctionPlanner(function_, module_, builder_, std::move(order), std::move(arguments),
                    std::move(destinations))
        .Process();
    return builder_.Finish(sizes_, layout);
  }

 private:
  std::vector<ir::Symbol>& symbols() { return builder_.plan().symbols; }

  bool Knows(ir::Symbol s) {
    return std::find(symbols().begin(), symbols().end(), s) != symbols().end();
  }

  // Every size in the function, and in the bodies of its loops, is known from its arguments.
  absl::Status CheckSymbols() {
    std::vector<const Function*> pending = {&function_};
    for (size_t at = 0; at < pending.size(); ++at) {
      for (const auto& node : pending[at]->nodes()) {
        for (const ir::Type& type : node->types()) {
          if (absl::Status s = CheckShape(type.shape); !s.ok()) return s;
        }
        if (!node->op().has(ir::kLoop)) continue;
        const ir::ScanView scan(*node);
        if (absl::Status s = CheckShape({scan.length()}); !s.ok()) return s;
        if (std::find(pending.begin(), pending.end(), &scan.body()) == pending.end()) {
          pending.push_back(&scan.body());
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckShape(const ir::Shape& shape) {
    for (const ir::Dim& d : shape) {
      if (!d.is_symbol() || Knows(d.symbol())) continue;
      return absl::InvalidArgumentError(
          fmt::format("@{}: no argument has the size {}, so a call cannot know it; take an "
                      "argument with that axis",
                      function_.name(), d.symbol().name()));
    }
    return absl::OkStatus();
  }

  const Function& function_;
  const ir::Module& module_;
  const loop::SizeOf& sizes_;
  CallPriority priority_;
  PlanBuilder builder_;
};

// Another order than the given one has to be worth as much.
constexpr double kWorthwhile = 0.98;
// Entries of more calls keep their order.
constexpr size_t kMostCalls = 3000;

}  // namespace

absl::StatusOr<PlannedEntry> PlanEntry(const Function& function, const ir::Module& module,
                                       const PassContext& context, bool layout) {
  const loop::SizeOf sizes = [&](ir::Symbol s) {
    return std::max<int64_t>(context.SizeOf(s.name()), 1);
  };
  CallPriority best = CallPriority::kGivenOrder;
  absl::StatusOr<PlannedEntry> planned = EntryPlanner(function, module, sizes, best).Process(false);
  if (!planned.ok()) return planned.status();
  if (function.nodes().size() <= kMostCalls) {
    for (const CallPriority priority : {CallPriority::kFreesFirst, CallPriority::kLeastGrowth}) {
      absl::StatusOr<PlannedEntry> other =
          EntryPlanner(function, module, sizes, priority).Process(false);
      if (!other.ok()) return other;
      if (other->copied > planned->copied ||
          static_cast<double>(other->live) > kWorthwhile * static_cast<double>(planned->live)) {
        continue;
      }
      planned = std::move(other);
      best = priority;
    }
  }
  if (!layout) return planned;
  return EntryPlanner(function, module, sizes, best).Process(true);
}

}  // namespace gradus::passes
