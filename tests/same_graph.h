#pragma once

// Whether two functions are the same graph, whatever the order of their nodes, and however often a
// constant stands there: what the folded form of the text keeps (ir/folding.h).

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "ir/module.h"
#include "ir/op_def.h"

namespace gradus::tests {

// Numbers nodes by what they compute: op, attributes, types and the numbers of their operands.
// Equal nodes have equal numbers, also in functions that are described one after the other.
class GraphDescriber {
 public:
  struct Graph {
    std::multiset<int> nodes;  // without splat constants
    std::set<int> constants;
    std::vector<std::string> results;
    bool operator==(const Graph&) const = default;
  };

  Graph Describe(const ir::Function& f) {
    Graph graph;
    std::vector<int> numbers(static_cast<size_t>(f.id_bound()));
    for (int i = 0; i < f.num_args(); ++i) {
      const ir::Node& node = *f.arg(i).node();
      numbers[static_cast<size_t>(node.id())] =
          Number(fmt::format("argument {} %{}: {}", i, node.name(), ToString(node.type())));
    }
    const auto use = [&](const ir::Value& v) {
      return fmt::format("{}#{}", numbers[static_cast<size_t>(v.node()->id())], v.result());
    };
    for (const auto& node : f.nodes()) {
      std::string key(node->op().name);
      for (const ir::Value& v : node->operands()) key += " " + use(v);
      for (const auto& a : node->attrs()) key += fmt::format(" {} {}", a.name, ToString(a.value));
      for (const ir::Type& type : node->types()) key += " : " + ToString(type);
      const int number = Number(std::move(key));
      numbers[static_cast<size_t>(node->id())] = number;
      if (node->op().has(ir::kSplat)) {
        graph.constants.insert(number);
      } else {
        graph.nodes.insert(number);
      }
    }
    for (const ir::Result& r : f.results()) {
      graph.results.push_back(fmt::format("{}: {} in {}", r.name, use(r.value), r.alias));
    }
    return graph;
  }

 private:
  int Number(std::string key) {
    return numbers_.try_emplace(std::move(key), static_cast<int>(numbers_.size())).first->second;
  }
  std::map<std::string, int> numbers_;
};

inline bool SameGraphs(const ir::Module& a, const ir::Module& b) {
  if (a.functions().size() != b.functions().size()) return false;
  GraphDescriber describer;
  for (size_t i = 0; i < a.functions().size(); ++i) {
    const ir::Function &f = *a.functions()[i], &g = *b.functions()[i];
    if (f.name() != g.name() || f.kind() != g.kind()) return false;
    if (describer.Describe(f) != describer.Describe(g)) return false;
  }
  return true;
}

}  // namespace gradus::tests
