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
      places_(static_cast<size_t>(function.id_bound())) {}

void FunctionPlanner::Process() {
  for (int i = 0; i < function_.num_args(); ++i) {
    place_of(function_.arg(i)) = arguments_[static_cast<size_t>(i)];
  }
  AssignResults();
  CopyArgumentResults();
  FindLastReaders();
  for (size_t i = 0; i < order_.order.size(); ++i) {
    Node& node = *function_.nodes()[static_cast<size_t>(order_.order[i])];
    if (node.op().has(ir::kLoop)) {
      PlanLoop(node);
    } else {
      PlanCall(node);
    }
    ReleaseAfter(node, static_cast<int>(i));
  }
  CopyLateResults();
}

// The place of a value; -1 while it has none.
int& FunctionPlanner::place_of(Value v) {
  auto& list = places_[static_cast<size_t>(v.node()->id())];
  if (list.empty()) list.assign(static_cast<size_t>(v.node()->num_results()), -1);
  return list[static_cast<size_t>(v.result())];
}

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
    const int held = builder_.AddWorkspacePlace(results[i].value.type());
    builder_.AddCopy(from, held);
    late_copies_.emplace_back(held, to.place);
  }
}

void FunctionPlanner::FindLastReaders() {
  last_reader_.assign(static_cast<size_t>(function_.id_bound()), -1);
  for (size_t i = 0; i < order_.order.size(); ++i) {
    for (const Value v : function_.nodes()[static_cast<size_t>(order_.order[i])]->operands()) {
      last_reader_[static_cast<size_t>(v.node()->id())] = static_cast<int>(i);
    }
  }
  // What is copied at the end must live until then.
  for (const ir::Result& r : function_.results()) {
    last_reader_[static_cast<size_t>(r.value.node()->id())] = static_cast<int>(order_.order.size());
  }
}

int FunctionPlanner::Home(Value v) {
  int& place = place_of(v);
  if (place < 0) place = builder_.AddWorkspacePlace(v.type());
  return place;
}

void FunctionPlanner::PlanCall(Node& node) {
  const Function& kernel = CalleeOf(module_, node);
  loop::KernelCall call;
  call.kernel = &kernel;
  for (const Value v : node.operands()) call.places.push_back(place_of(v));
  for (int r = 0; r < node.num_results(); ++r) call.places.push_back(Home(node.result(r)));
  builder_.AddCall(std::move(call), *kernel.plan);
}

void FunctionPlanner::PlanLoop(Node& node) {
  const ir::ScanView scan(node);
  std::vector<int> memory(scan.body().results().size(), -1);
  for (int i = 0; i < scan.carries(); ++i) memory[static_cast<size_t>(i)] = i;
  CallOrder order = OrderCalls(scan.body(), module_, memory);
  std::vector<int> operands, results;
  for (const Value v : node.operands()) operands.push_back(place_of(v));
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
  for (const auto& [from, to] : places.after()) builder_.AddCopy(from, to);
  places.Release();
}

// Frees the workspace of values whose last reader has run (or that nobody reads).
void FunctionPlanner::ReleaseAfter(const Node& node, int position) {
  const auto release = [&](Value v) {
    if (last_reader_[static_cast<size_t>(v.node()->id())] > position) return;
    if (v.node()->is_argument()) return;  // who gave it decides
    builder_.Release(place_of(v));
  };
  for (const Value v : node.operands()) release(v);
  for (int r = 0; r < node.num_results(); ++r) release(Value(const_cast<Node*>(&node), r));
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
