#pragma once

// Rewrites a graph function to calls of kernels, given which nodes each kernel computes.
// Structurally identical kernels are one.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "ir/module.h"

namespace gradus::passes {

// What one kernel computes. Nodes that its nodes use and that the cut below marks as copied are
// copied into it.
struct KernelCut {
  std::vector<const ir::Node*> nodes;  // in the function's order
  std::vector<ir::Value>
      outputs;  // values of its nodes that become results, in the function's order
};

// A cut of a function: every node that is not copied is in one kernel, or stays as it is (calls).
struct FunctionCut {
  std::vector<KernelCut>
      kernels;               // any order in which the dependences between kernels have no cycle
  std::vector<bool> copied;  // by node id: computed anew in every kernel that uses it, never passed

  // True if there is nothing to rewrite.
  bool empty() const {
    return kernels.empty() && std::find(copied.begin(), copied.end(), true) == copied.end();
  }
};

// Kernels of a module by structure, names and locations apart.
class KernelPool {
 public:
  explicit KernelPool(ir::Module& module);
  // `kernel` itself, added to the module under a name like `stem`, or the equal one that is there
  // already.
  const ir::Function& Intern(std::unique_ptr<ir::Function> kernel, std::string_view stem);

 private:
  ir::Module& module_;
  absl::flat_hash_map<std::string, const ir::Function*> by_structure_;
};

// Replaces `function`'s nodes by calls.
void Outline(ir::Function& function, const FunctionCut& cut, KernelPool& pool);

// Outlines every graph function of the module as `cut` says, equal kernels of different functions
// being one. True if anything was rewritten.
bool OutlineGraphs(ir::Module& module, FunctionCut (*cut)(const ir::Function&));

}  // namespace gradus::passes
