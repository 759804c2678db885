#pragma once

// The order in which an entry's kernels run, such that as many updates as possible happen in place:
// a kernel that overwrites an argument runs after every other reader of that argument's old value.

#include <span>
#include <vector>

#include "ir/module.h"

namespace gradus::passes {

struct CallOrder {
  std::vector<int> order;      // positions in function.nodes()
  std::vector<bool> in_place;  // by result: whether it is written straight into its argument
};

// Every node of `function` is a call of a kernel with its loops attached, or a loop over time.
// `memory` says by result in which argument's memory it should be computed; -1: in none.
CallOrder OrderCalls(const ir::Function& function, const ir::Module& module,
                     std::span<const int> memory);

}  // namespace gradus::passes
