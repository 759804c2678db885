#pragma once

// Where a loop over time keeps its carries and finds its step's part of sequences and outputs. The
// choice is told in function_planner.h.

#include <span>
#include <utility>
#include <vector>

#include "ir/ops/scan.h"
#include "passes/memory/function_planner.h"

namespace gradus::passes {

class LoopPlaces {
 public:
  // `operands` and `results`: places of the node's. `in_place`: by result of the body, whether it
  // may overwrite its carry; cleared where another memory is chosen.
  LoopPlaces(const ir::ScanView& scan, PlanBuilder& builder, std::span<const int> operands,
             std::span<const int> results, std::vector<bool>& in_place);

  int loop() const { return loop_; }
  const std::vector<int>& arguments() const { return arguments_; }  // of the body
  const std::vector<Destination>& destinations() const { return destinations_; }
  // Copies (from, to) before the first step and after the last.
  const std::vector<std::pair<int, int>>& before() const { return before_; }
  const std::vector<std::pair<int, int>>& after() const { return after_; }
  // Gives back the memory that only the loop needs.
  void Release();

 private:
  // The output of the body that is `v`, or -1.
  int OutputOf(ir::Value v) const;
  void PlaceCarry(int i, int initial, int final_place, std::span<const int> results,
                  std::vector<bool>& in_place);

  const ir::ScanView& scan_;
  PlanBuilder& builder_;
  int loop_;
  std::vector<int> arguments_, own_;
  std::vector<Destination> destinations_;
  std::vector<std::pair<int, int>> before_, after_;
};

}  // namespace gradus::passes
