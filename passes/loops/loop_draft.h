#pragma once

// A loop over time taken apart, to be changed and put together again: sequences and invariants may
// stand for any value of the body, outputs may be any value of it. What no result needs is left
// out.

#include <vector>

#include "ir/module.h"
#include "ir/ops/scan.h"

namespace gradus::passes {

struct LoopDraft {
  struct Carry {
    ir::Value initial;    // of the function
    ir::Value old, next;  // of the body: an argument, and what it becomes
    int result = 0;       // of the loop
  };
  struct Operand {
    ir::Value value;   // of the function
    ir::Value stands;  // of the body: what it is there
  };
  struct Output {
    ir::Value value;  // of the body
    int result = -1;  // of the loop; -1: a new one
  };

  explicit LoopDraft(ir::Node& loop);

  // The output that is `value`, a new one if there is none yet.
  int OutputOf(ir::Value value);
  // The loop again: appends nodes to its function and a body to the module. `results`: by position
  // in carries, then outputs, the values there.
  struct Built {
    std::vector<ir::Value> carries, outputs;
  };
  Built Build() const;

  ir::Node& loop;
  const ir::Function& body;
  ir::ScanOptions options;
  std::vector<Carry> carries;
  std::vector<Operand> sequences, invariants;
  std::vector<Output> outputs;
};

// Removes what nobody needs: outputs and carries whose results are not `used` (by result), with
// what only they need. True if anything was removed.
bool RemoveUnused(LoopDraft& draft, const std::vector<bool>& used);

// Offers every loop of every graph function to `rewrite`, which appends nodes and gives one value a
// result of the loop, or none at all to leave the loop as it is. `used`: by result, whether the
// function needs it.
using LoopRewrite = std::vector<ir::Value> (*)(ir::Node& loop, const std::vector<bool>& used);
bool RewriteLoops(ir::Module& module, LoopRewrite rewrite);

}  // namespace gradus::passes
