#include "passes/memory/function_planner.h"

#include <utility>

#include "ir/loop/plan.h"
#include "ir/ops/scan.h"
#include "passes/memory/calls.h"
#include "passes/memory/loop_places.h"

namespace gradus::passes {

using ir::Function;
using ir::Node;
using ir::Value;

FunctionPlanner::FunctionPlanner(const Function& function, const ir::Module& module,
                                 PlanBuilder& builder, CallOrder order, std::vector<int> arguments,
                                 std::vector<Destination> destinations)
    : function_(function),
      module_(module),
      builder_(builder),
      order_(std::move(order)),
      arguments_(std::move(arguments)),
      destinations_(std::move(destinations)),
      places_(static_cast<size_t>(function.id_bound())),
      last_reader_(places_.size()) {}

void FunctionPlanner::Process() {
  for (int i = 0; i < function_.num_args(); ++i) {
    place_of(function_.arg(i)) = arguments_[static_cast<size_t>(i)];
  }
  AssignResults();
  CopyArgumentResults();
  FindLastReaders();
  for (size_t i = 0; i < order_.order.size(); ++i) {
    Node& node = *function_.nodes()[static_cast<size_t>(order_.order[i])];
    builder_.BeginNode(node);
    if (node.op().has(ir::kLoop)) {
      PlanLoop(node);
    } else {
      PlanCall(node, static_cast<int>(i));
    }
    builder_.EndNode(node);
    ReleaseAfter(node, static_cast<int>(i));
  }
  CopyLateResults();
}

namespace {
int& EntryOf(std::vector<absl::InlinedVector<int, 1>>& table, Value v) {
  auto& list = table[static_cast<size_t>(v.node()->id())];
  if (list.empty()) list.assign(static_cast<size_t>(v.node()->num_results()), -1);
  return list[static_cast<size_t>(v.result())];
}
}  // namespace

// The place of a value; -1 while it has none.
int& FunctionPlanner::place_of(Value v) { return EntryOf(places_, v); }

// -1: nobody reads it.
int& FunctionPlanner::last_reader_of(Value v) { return EntryOf(last_reader_, v); }

// A computed value's home: in place in its argument if it may, else the first place that is no
// argument's where it has to be.
void FunctionPlanner::AssignResults() {
  const auto& results = function_.results();
  for (size_t i = 0; i < results.size(); ++i) {
    if (order_.in_place[i]) place_of(results[i].value) = destinations_[i].place;
  }
  for (size_t i = 0; i < results.size(); ++i) {
    const Value v = results[i].value;
    const Destination& to = destinations_[i];
    if (to.argument >= 0 || to.place < 0 || v.node()->is_argument() || place_of(v) >= 0) continue;
    place_of(v) = to.place;
  }
}

void FunctionPlanner::CopyArgumentResults() {
  const auto& results = function_.results();
  for (size_t i = 0; i < results.size(); ++i) {
    const int argument = function_.ArgumentIndex(results[i].value);
    const Destination& to = destinations_[i];
    if (argument < 0 || to.place < 0 || to.argument == argument) continue;
    const int from = place_of(results[i].value);
    if (to.argument < 0) {
      builder_.AddCopy(from, to.place);
      continue;
    }
    const int held = builder_.AddWorkspacePlace(results[i].value.type(), nullptr);
    builder_.AddCopy(from, held);
    late_copies_.emplace_back(held, to.place);
  }
}

void FunctionPlanner::FindLastReaders() {
  for (size_t i = 0; i < order_.order.size(); ++i) {
    for (const Value v : function_.nodes()[static_cast<size_t>(order_.order[i])]->operands()) {
      last_reader_of(v) = static_cast<int>(i);
    }
  }
  // What is copied at the end must live until then.
  for (const ir::Result& r : function_.results()) {
    last_reader_of(r.value) = static_cast<int>(order_.order.size());
  }
}

int FunctionPlanner::Home(Value v) {
  int& place = place_of(v);
  if (place < 0) place = builder_.AddWorkspacePlace(v.type(), v.node());
  return place;
}

void FunctionPlanner::PlanCall(Node& node, int position) {
  const Function& kernel = CalleeOf(module_, node);
  loop::KernelCall call;
  call.kernel = &kernel;
  for (const Value v : node.operands()) call.places.push_back(place_of(v));
  for (int r = 0; r < node.num_results(); ++r) {
    const Value result = node.result(r);
    if (place_of(result) < 0) place_of(result) = Overwritten(node, r, position);
    call.places.push_back(Home(result));
  }
  builder_.AddCall(std::move(call), *kernel.plan);
}

int FunctionPlanner::Overwritten(Node& node, int result, int position) {
  const loop::Kernel& kernel = *CalleeOf(module_, node).kernel;
  for (int k = 0; k < node.num_operands(); ++k) {
    const Value v = node.operand(k);
    const int place = place_of(v);
    if (v.node()->is_argument() || last_reader_of(v) > position || !builder_.IsOwned(place))
      continue;
    bool is_safe = true;
    for (int other = 0; other < node.num_operands() && is_safe; ++other) {
      if (place_of(node.operand(other)) == place) is_safe = InPlaceSafe(kernel, other, result);
    }
    for (int r = 0; r < result && is_safe; ++r) is_safe = place_of(node.result(r)) != place;
    if (is_safe) return place;
  }
  return -1;
}

void FunctionPlanner::PlanLoop(Node& node) {
  const ir::ScanView scan(node);
  std::vector<int> memory(scan.body().results().size(), -1);
  for (int i = 0; i < scan.carries(); ++i) memory[static_cast<size_t>(i)] = i;
  CallOrder order = OrderCalls(scan.body(), module_, memory, CallPriority::kGivenOrder, {});
  std::vector<int> operands, results;
  for (const Value v : node.operands()) operands.push_back(place_of(v));
  OverlayStacks(node, scan);
  for (int r = 0; r < node.num_results(); ++r) results.push_back(Home(node.result(r)));

  LoopPlaces places(scan, builder_, operands, results, order.in_place);
  auto& steps = builder_.plan().steps;
  for (const auto& [from, to] : places.before()) builder_.AddCopy(from, to);
  steps.emplace_back(loop::LoopBegin{places.loop(), loop::Extent(scan.length()), scan.reverse()});
  // As deep as loops nest in the source.
  FunctionPlanner(scan.body(), module_, builder_, std::move(order), places.arguments(),
                  places.destinations())
      .Process();
  steps.emplace_back(loop::LoopEnd{places.loop()});
  for (const auto& [from, to] : places.after()) {
    bool is_read = false;
    for (int r = 0; r < node.num_results(); ++r) {
      is_read |= place_of(node.result(r)) == to && last_reader_of(node.result(r)) >= 0;
    }
    if (is_read) builder_.AddCopy(from, to);
  }
  places.Release();
}

// Where the body stacks a carry's old values and its new ones, these are the old ones of the steps
// after them: one array, a step longer.
void FunctionPlanner::OverlayStacks(Node& node, const ir::ScanView& scan) {
  if (scan.length().is_symbol()) return;  // such a size is no single term
  const auto& all = scan.body().results();
  // The output that is `v` and has no place yet.
  const auto output_of = [&](Value v) {
    for (int r = scan.carries(); r < static_cast<int>(all.size()); ++r) {
      if (all[static_cast<size_t>(r)].value == v) return place_of(node.result(r)) < 0 ? r : -1;
    }
    return -1;
  };
  for (int i = 0; i < scan.carries(); ++i) {
    const Value old = scan.body().arg(i), next = all[static_cast<size_t>(i)].value;
    if (next.node()->is_argument()) continue;
    const int stacked_old = output_of(old), stacked_new = output_of(next);
    if (stacked_old < 0 || stacked_new < 0) continue;
    const auto [first, second] =
        builder_.AddOverlaid(node.type(stacked_old), scan.body().arg(i).type());
    place_of(node.result(stacked_old)) = scan.reverse() ? second : first;
    place_of(node.result(stacked_new)) = scan.reverse() ? first : second;
  }
}

// Frees the workspace of values whose last reader has run (or that nobody reads).
void FunctionPlanner::ReleaseAfter(const Node& node, int position) {
  const auto result = [&](int r) { return Value(const_cast<Node*>(&node), r); };
  for (const Value v : node.operands()) {
    if (v.node()->is_argument() || last_reader_of(v) > position) continue;  // who gave it decides
    bool is_overwritten = false;
    for (int r = 0; r < node.num_results(); ++r) {
      is_overwritten |= place_of(result(r)) == place_of(v);
    }
    if (!is_overwritten) builder_.Release(place_of(v));
  }
  for (int r = 0; r < node.num_results(); ++r) {
    if (last_reader_of(result(r)) <= position) builder_.Release(place_of(result(r)));
  }
}

void FunctionPlanner::CopyLateResults() {
  const auto& results = function_.results();
  for (size_t i = 0; i < results.size(); ++i) {
    const int to = destinations_[i].place;
    if (to < 0 || results[i].value.node()->is_argument()) continue;
    const int from = place_of(results[i].value);
    if (from != to) late_copies_.emplace_back(from, to);
  }
  for (const auto& [from, to] : late_copies_) builder_.AddCopy(from, to);
}

}  // namespace gradus::passes
