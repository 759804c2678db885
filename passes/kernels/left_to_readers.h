#pragma once

// Which values are not stored by the kernel that computes them but computed again by those who read
// them: what follows cheaply from one other value that is stored.

#include <vector>

#include "ir/function.h"
#include "passes/kernels/repeatable.h"

namespace gradus::passes {

// A function's nodes as they are put into groups, by node id.
struct Grouped {
  const ir::Function& function;
  const Repeatable& repeatable;
  std::vector<int> group;    // -1: none
  std::vector<bool> stored;  // in memory, as a result of its group
  std::vector<bool> live;
};

// By node id. What a kernel would store for others alone though it follows from one other value
// that it stores (the mask of a relu from its result, a product with one number a channel) is left
// to those who read it. Not to those who read the other value at other places, too: a pooling's
// gradient, which goes over its elements a window at a time, took half as long again with four
// bytes an element instead of one.
std::vector<bool> LeftToReaders(const Grouped& grouped);

}  // namespace gradus::passes
