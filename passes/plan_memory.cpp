#include "passes/plan_memory.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "fmt/format.h"
#include "ir/loop/entry_plan.h"
#include "ir/loop/plan.h"
#include "passes/memory/call_order.h"
#include "passes/memory/calls.h"
#include "passes/memory/workspace.h"

namespace gradus::passes {
namespace {

using ir::Function;
using ir::Node;
using ir::Value;
using loop::EntryPlan;
using loop::Place;

// Plans one entry:
// 1. symbols, in the order of the arguments' types;
// 2. the order of the calls, and which updates happen in place (call_order.h);
// 3. results that are arguments are copied first, while every argument still holds its old value
// (by way of the
//    workspace where the destination is an argument that is still read);
// 4. the calls: a value lives in a result's memory if it is one, else in the workspace from its
// call to its last reader;
// 5. updates that could not be made in place are copied last.
class Planner {
 public:
  Planner(const Function& function, const ir::Module& module)
      : function_(function), module_(module), plan_(std::make_unique<EntryPlan>()) {}

  absl::StatusOr<std::unique_ptr<EntryPlan>> Process() {
    if (absl::Status s = CollectSymbols(); !s.ok()) return s;
    const CallOrder order = OrderCalls(function_, module_);
    in_place_ = order.in_place;
    for (int i = 0; i < function_.num_args(); ++i) {
      place_of(function_.arg(i)) = AddPlace(Place::Kind::kArgument, i, function_.arg(i).type());
    }
    AssignResults();
    CopyArgumentResults();
    FindLastReaders(order.order);
    for (size_t i = 0; i < order.order.size(); ++i) {
      PlanCall(*function_.nodes()[static_cast<size_t>(order.order[i])], static_cast<int>(i));
    }
    CopyLateResults();
    FillOffsets();
    return std::move(plan_);
  }

 private:
  absl::Status CollectSymbols() {
    for (int i = 0; i < function_.num_args(); ++i) {
      for (const ir::Dim& d : function_.arg(i).shape()) {
        if (d.is_symbol() && !Knows(d.symbol())) plan_->symbols.push_back(d.symbol());
      }
    }
    for (const auto& node : function_.nodes()) {
      for (const ir::Type& type : node->types()) {
        for (const ir::Dim& d : type.shape) {
          if (!d.is_symbol() || Knows(d.symbol())) continue;
          return absl::InvalidArgumentError(
              fmt::format("@{}: no argument has the size {}, so a call cannot know it; take an "
                          "argument with that axis",
                          function_.name(), d.symbol().name()));
        }
      }
    }
    return absl::OkStatus();
  }

  bool Knows(ir::Symbol s) const {
    return std::find(plan_->symbols.begin(), plan_->symbols.end(), s) != plan_->symbols.end();
  }

  int AddPlace(Place::Kind kind, int index, const ir::Type& type) {
    Place p;
    p.kind = kind;
    p.index = index;
    p.type = type;
    plan_->places.push_back(std::move(p));
    return static_cast<int>(plan_->places.size()) - 1;
  }

  // The place of a value; -1 while it has none.
  int& place_of(Value v) {
    const auto id = static_cast<size_t>(v.node()->id());
    if (places_.size() <= id) places_.resize(static_cast<size_t>(function_.id_bound()));
    auto& list = places_[id];
    if (list.empty()) list.assign(static_cast<size_t>(v.node()->num_results()), -1);
    return list[static_cast<size_t>(v.result())];
  }

  // A computed value's home: in place in its argument if it may, else the first plain result that
  // it is.
  void AssignResults() {
    const auto& results = function_.results();
    for (size_t i = 0; i < results.size(); ++i) {
      if (in_place_[i]) place_of(results[i].value) = place_of(function_.arg(results[i].alias));
    }
    for (size_t i = 0; i < results.size(); ++i) {
      const ir::Result& r = results[i];
      if (r.alias >= 0 || function_.ArgumentIndex(r.value) >= 0 || place_of(r.value) >= 0) continue;
      place_of(r.value) = AddPlace(Place::Kind::kResult, static_cast<int>(i), r.value.type());
    }
  }

  void CopyArgumentResults() {
    const auto& results = function_.results();
    for (size_t i = 0; i < results.size(); ++i) {
      const ir::Result& r = results[i];
      const int argument = function_.ArgumentIndex(r.value);
      if (argument < 0 || r.alias == argument) continue;
      const int from = place_of(r.value);
      if (r.alias < 0) {
        const int to = AddPlace(Place::Kind::kResult, static_cast<int>(i), r.value.type());
        plan_->steps.emplace_back(loop::CopyStep{from, to});
        continue;
      }
      const int held = AddWorkspacePlace(r.value.type());
      plan_->steps.emplace_back(loop::CopyStep{from, held});
      late_copies_.push_back({held, place_of(function_.arg(r.alias))});
    }
  }

  void FindLastReaders(const std::vector<int>& order) {
    last_reader_.assign(static_cast<size_t>(function_.id_bound()), -1);
    for (size_t i = 0; i < order.size(); ++i) {
      for (const Value v : function_.nodes()[static_cast<size_t>(order[i])]->operands()) {
        last_reader_[static_cast<size_t>(v.node()->id())] = static_cast<int>(i);
      }
    }
    // What is copied at the end must live until then.
    for (size_t i = 0; i < function_.results().size(); ++i) {
      const Value v = function_.results()[i].value;
      last_reader_[static_cast<size_t>(v.node()->id())] = static_cast<int>(order.size());
    }
  }

  int AddWorkspacePlace(const ir::Type& type) {
    const int place = AddPlace(Place::Kind::kWorkspace, 0, type);
    slots_.resize(plan_->places.size());
    slots_[static_cast<size_t>(place)].number = workspace_.Allocate(BytesOf(type));
    return place;
  }

  void PlanCall(Node& node, int position) {
    const Function& kernel = CalleeOf(module_, node);
    loop::KernelCall call;
    call.kernel = &kernel;
    for (const Value v : node.operands()) call.places.push_back(place_of(v));
    for (int r = 0; r < node.num_results(); ++r) {
      const Value v = node.result(r);
      if (place_of(v) < 0) place_of(v) = AddWorkspacePlace(v.type());
      call.places.push_back(place_of(v));
    }
    std::vector<int> scratch;
    for (const loop::Buffer& b : kernel.plan->buffers) {
      if (b.kind == loop::Buffer::Kind::kScratch)
        scratch.push_back(workspace_.Allocate(BytesOf(b)));
    }
    for (const int slot : scratch) workspace_.Release(slot);
    scratch_slots_.push_back(std::move(scratch));
    plan_->steps.emplace_back(std::move(call));
    for (const Value v : node.operands()) ReleaseAfter(v, position);
    for (int r = 0; r < node.num_results(); ++r) ReleaseAfter(node.result(r), position);
  }

  // Frees the workspace of a value whose last reader has run (or that nobody reads).
  void ReleaseAfter(Value v, int position) {
    if (last_reader_[static_cast<size_t>(v.node()->id())] > position) return;
    const auto place = static_cast<size_t>(place_of(v));
    if (place >= slots_.size() || slots_[place].number < 0 || slots_[place].released) return;
    slots_[place].released = true;
    workspace_.Release(slots_[place].number);
  }

  void CopyLateResults() {
    const auto& results = function_.results();
    for (size_t i = 0; i < results.size(); ++i) {
      const ir::Result& r = results[i];
      if (function_.ArgumentIndex(r.value) >= 0 || in_place_[i]) continue;
      const int from = place_of(r.value);
      const bool is_home = r.alias < 0 &&
                           plan_->places[static_cast<size_t>(from)].kind == Place::Kind::kResult &&
                           plan_->places[static_cast<size_t>(from)].index == static_cast<int>(i);
      if (is_home) continue;
      const int to = r.alias >= 0
                         ? place_of(function_.arg(r.alias))
                         : AddPlace(Place::Kind::kResult, static_cast<int>(i), r.value.type());
      late_copies_.push_back({from, to});
    }
    for (const auto& [from, to] : late_copies_) plan_->steps.emplace_back(loop::CopyStep{from, to});
  }

  void FillOffsets() {
    const std::vector<loop::Polynomial> offsets = workspace_.Offsets();
    for (size_t p = 0; p < slots_.size(); ++p) {
      if (slots_[p].number >= 0)
        plan_->places[p].offset = offsets[static_cast<size_t>(slots_[p].number)];
    }
    size_t next = 0;
    for (auto& step : plan_->steps) {
      auto* call = std::get_if<loop::KernelCall>(&step);
      if (call == nullptr) continue;
      for (const int slot : scratch_slots_[next])
        call->scratch.push_back(offsets[static_cast<size_t>(slot)]);
      ++next;
    }
    plan_->workspace = workspace_.Size();
  }

  // A place's part of the workspace.
  struct Slot {
    int number = -1;  // -1: it is not in the workspace
    bool released = false;
  };

  const Function& function_;
  const ir::Module& module_;
  std::unique_ptr<EntryPlan> plan_;
  std::vector<bool> in_place_;
  std::vector<absl::InlinedVector<int, 1>> places_;  // by node id and result
  std::vector<int> last_reader_;                     // by node id: position in the order
  std::vector<Slot> slots_;                          // by place
  std::vector<std::vector<int>> scratch_slots_;      // by call, in order
  std::vector<std::pair<int, int>> late_copies_;
  Workspace workspace_;
};

bool IsLowered(const ir::Module& module, const Function& f) {
  if (f.kind() != ir::FunctionKind::kGraph) return false;
  for (const auto& node : f.nodes()) {
    if (!IsKernelCall(module, *node)) return false;
    const Function& kernel = CalleeOf(module, *node);
    if (kernel.kernel == nullptr || kernel.plan == nullptr) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<bool> PlanMemory(ir::Module& module, const PassContext&) {
  bool changed = false;
  for (const auto& f : module.functions()) {
    if (f->kind() != ir::FunctionKind::kGraph) continue;
    if (!IsLowered(module, *f)) {
      return absl::FailedPreconditionError(
          fmt::format("plan-memory: @{} still has nodes that are no calls of scheduled kernels; "
                      "run form-kernels, "
                      "lower-to-loops and schedule first",
                      f->name()));
    }
    auto plan = Planner(*f, module).Process();
    if (!plan.ok()) return plan.status();
    f->entry = *std::move(plan);
    changed = true;
  }
  return changed;
}

}  // namespace gradus::passes
