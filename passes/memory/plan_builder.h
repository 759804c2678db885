#pragma once

// An entry's plan while it is made: places and their part of the workspace, steps in order.

#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "ir/loop/entry_plan.h"
#include "passes/memory/workspace.h"

namespace gradus::passes {

// What lives in the workspace, at given sizes: a value, or the scratch of a call (no producer).
struct Living {
  const ir::Node* producer = nullptr;
  Block block;  // its steps are those of the plan
};

struct PlannedEntry {
  std::unique_ptr<loop::EntryPlan> plan;
  std::vector<Living> living;
  int64_t bytes = 0;   // of the workspace
  int64_t live = 0;    // the most that live at once
  int peak = 0;        // the first step in which they do
  int64_t copied = 0;  // bytes of plain copies
  absl::flat_hash_map<const ir::Node*, std::pair<int, int>> node_steps;  // first and last
};

class PlanBuilder {
 public:
  loop::EntryPlan& plan() { return *plan_; }

  int AddPlace(loop::Place place);
  int AddPlace(loop::Place::Kind kind, int index, const ir::Type& type);
  // A place of its own in the workspace, from the next step until it is released, first for a
  // result of `producer` (or null).
  int AddWorkspacePlace(const ir::Type& type, const ir::Node* producer);
  // Two places of type `stack`, one a part of its first axis behind the other, in memory of their
  // own until both are released: what a loop stacks of a carry's old values, and of its new ones.
  // The first lies `step` bytes before the second.
  std::pair<int, int> AddOverlaid(const ir::Type& stack, const ir::Type& step);
  bool AreOverlaid(int first, int second) const;
  // The part of place `of` that belongs to a step of a loop, `shift` steps later.
  int AddSlice(int of, const ir::Type& step, int loop, int shift);
  int AddEither(loop::When when, int loop, int yes, int no);
  // Whether the place has memory in the workspace that is no other's, not given back.
  bool IsOwned(int place) const;
  // Gives the place's memory back after the last step so far; nothing if it is not in the
  // workspace, or given back already.
  void Release(int place);

  void AddCall(loop::KernelCall call, const loop::Plan& kernel);
  void AddCopy(int from, int to);
  int NewLoop() { return loops_++; }

  // Says which node the steps between are of.
  void BeginNode(const ir::Node& node) { node_steps_[&node].first = steps(); }
  void EndNode(const ir::Node& node) { node_steps_[&node].second = steps() - 1; }

  // After the last step, for sizes as `typical` says. Without `layout` offsets stay empty, and the
  // bytes of the workspace are those that live at once.
  PlannedEntry Finish(const loop::SizeOf& typical, bool layout);

 private:
  int steps() const { return static_cast<int>(plan_->steps.size()); }
  // The size of the workspace.
  int64_t SetOffsets(Workspace::Layout layout, const loop::SizeOf& typical);

  struct Owned {
    int block = -1;  // -1: the place is not in the workspace
    bool released = false;
    int overlaid_by = -1;  // the place whose memory is in part this one's
    loop::SizeTerm shift;  // from the block's start
  };
  std::unique_ptr<loop::EntryPlan> plan_ = std::make_unique<loop::EntryPlan>();
  Workspace workspace_;
  std::vector<Owned> owned_;                // by place
  std::vector<std::vector<int>> scratch_;   // blocks, by call, in order
  std::vector<const ir::Node*> producers_;  // by block; null: scratch
  absl::flat_hash_map<const ir::Node*, std::pair<int, int>> node_steps_;
  int loops_ = 0;
};

}  // namespace gradus::passes
