#pragma once

// Nodes that cost less to compute again than to store: they belong to no kernel, but are copied
// into each that uses them.

#include <vector>

#include "ir/function.h"

namespace gradus::passes {

// A value that a node reads by way of repeatable nodes (or directly).
struct Source {
  ir::Value value;
  bool moved = false;  // perhaps at another index than that of the node's result
};

class Repeatable {
 public:
  explicit Repeatable(const ir::Function& function);
  bool contains(const ir::Node& n) const {
    return !n.is_argument() && repeatable_[static_cast<size_t>(n.id())];
  }
  // What an operand of a node is made of: arguments and values of nodes that are not repeatable.
  std::vector<Source> SourcesOf(ir::Value operand, bool moved) const;

 private:
  void Classify(const ir::Node& n, bool is_result);
  std::vector<bool> repeatable_;              // by node id
  std::vector<int> cost_;                     // operations an element
  std::vector<std::vector<Source>> sources_;  // of repeatable nodes
};

}  // namespace gradus::passes
