#pragma once

// The order in which an entry's kernels run, such that as many updates as possible happen in place
// (a kernel that overwrites an argument runs after every other reader of that argument's old
// value), and little memory is needed.

#include <span>
#include <vector>

#include "ir/loop/size.h"
#include "ir/module.h"

namespace gradus::passes {

// Which of the nodes that may run next does.
enum class CallPriority : uint8_t {
  kGivenOrder,   // the first of the function
  kFreesFirst,   // the first that frees at least what it needs; of others the first
  kLeastGrowth,  // the one that needs least beyond what it frees; of equals the first
};

struct CallOrder {
  std::vector<int> order;      // positions in function.nodes()
  std::vector<bool> in_place;  // by result: whether it is written straight into its argument
};

// Every node of `function` is a call of a kernel with its loops attached, or a loop over time.
// `memory` says by result in which argument's memory it should be computed; -1: in none.
// Sizes count as `sizes` says.
CallOrder OrderCalls(const ir::Function& function, const ir::Module& module,
                     std::span<const int> memory, CallPriority priority, const loop::SizeOf& sizes);

}  // namespace gradus::passes
