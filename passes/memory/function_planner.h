#pragma once

// Plans the calls of one function, an entry or the body of a loop over time, into an entry's plan.
//
// The memory of a loop's carry, new value of one step and old value of the next, is, in this order:
// * one place throughout, if the body passes the carry on, or a kernel may overwrite it;
// * where the body stacks both the old values and the new ones, one array of a step more, which
// both
//   outputs are;
// * the stacked output that holds the old values, if the body has one: a step writes the next
//   step's part, the last one the final carry;
// * the stacked output that holds the new values, if the body has one: a step reads the part of the
//   one before;
// * two places in turn, chosen such that the last step writes the final carry.

#include <vector>

#include "ir/module.h"
#include "ir/ops/scan.h"
#include "passes/memory/call_order.h"
#include "passes/memory/plan_builder.h"

namespace gradus::passes {

// Where a result has to be.
struct Destination {
  int place = -1;     // -1: nothing to do
  int argument = -1;  // the argument of the function whose memory `place` is, or -1
};

class FunctionPlanner {
 public:
  // `arguments`: the place of each; `destinations`: of each result.
  FunctionPlanner(const ir::Function& function, const ir::Module& module, PlanBuilder& builder,
                  CallOrder order, std::vector<int> arguments,
                  std::vector<Destination> destinations);

  // Steps:
  // 1. results that are arguments are copied first, while every argument still holds its old value
  // (by way of the workspace where the destination is an argument that is still read);
  // 2. the calls: a value lives in a result's memory if it is one, else in the workspace from its
  // call to its last reader, in the memory of an operand that nobody reads later if it may;
  // 3. updates that could not be made in place are copied last.
  void Process();

 private:
  int& place_of(ir::Value v);
  int& last_reader_of(ir::Value v);
  void AssignResults();
  void CopyArgumentResults();
  void FindLastReaders();
  void PlanCall(ir::Node& node, int position);
  void PlanLoop(ir::Node& node);
  void OverlayStacks(ir::Node& node, const ir::ScanView& scan);
  int Home(ir::Value v);
  // The place of an operand of the call at `position` that result `result` may overwrite, or -1.
  int Overwritten(ir::Node& node, int result, int position);
  void ReleaseAfter(const ir::Node& node, int position);
  void CopyLateResults();

  const ir::Function& function_;
  const ir::Module& module_;
  PlanBuilder& builder_;
  CallOrder order_;
  std::vector<int> arguments_;
  std::vector<Destination> destinations_;
  std::vector<absl::InlinedVector<int, 1>> places_;       // by node id and result
  std::vector<absl::InlinedVector<int, 1>> last_reader_;  // likewise: position in the order
  std::vector<std::pair<int, int>> late_copies_;
};

}  // namespace gradus::passes
