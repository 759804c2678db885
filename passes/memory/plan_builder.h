#pragma once

// An entry's plan while it is made: places and their part of the workspace, steps in order.

#include <memory>
#include <vector>

#include "ir/loop/entry_plan.h"
#include "passes/memory/workspace.h"

namespace gradus::passes {

class PlanBuilder {
 public:
  loop::EntryPlan& plan() { return *plan_; }

  int AddPlace(loop::Place place);
  int AddPlace(loop::Place::Kind kind, int index, const ir::Type& type);
  // A place of its own in the workspace, until it is released.
  int AddWorkspacePlace(const ir::Type& type);
  // The part of place `of` that belongs to a step of a loop, `shift` steps later.
  int AddSlice(int of, const ir::Type& step, int loop, int shift);
  int AddEither(loop::When when, int loop, int yes, int no);
  // Gives the place's memory back; nothing if it is not in the workspace, or given back already.
  void Release(int place);

  void AddCall(loop::KernelCall call, const loop::Plan& kernel);
  void AddCopy(int from, int to);
  int NewLoop() { return loops_++; }

  // After the last step.
  std::unique_ptr<loop::EntryPlan> Finish();

 private:
  struct Slot {
    int number = -1;  // -1: the place is not in the workspace
    bool released = false;
  };
  std::unique_ptr<loop::EntryPlan> plan_ = std::make_unique<loop::EntryPlan>();
  Workspace workspace_;
  std::vector<Slot> slots_;                      // by place
  std::vector<std::vector<int>> scratch_slots_;  // by call, in order
  int loops_ = 0;
};

}  // namespace gradus::passes
