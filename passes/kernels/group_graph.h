#pragma once

// Groups of nodes that will be kernels, and the dependences between them, which must never form a
// cycle.

#include <cstddef>
#include <vector>

namespace gradus::passes {

class GroupGraph {
 public:
  int Add();
  // The group that `group` has become part of.
  int Find(int group);
  // Records that `to` reads what `from` computes; Reaches(to, from) must be false.
  void AddEdge(int from, int to);
  // True if `to` depends on `from` (or is it), also if that takes too long to tell.
  bool Reaches(int from, int to);
  // True if the two can be one without a cycle by way of a third.
  bool CanMerge(int a, int b);
  int Merge(int a, int b);
  // Longer chains of dependences have higher levels.
  int level(int group) { return groups_[static_cast<size_t>(Find(group))].level; }

 private:
  struct Group {
    int parent = -1;  // -1: not merged into another
    int level = 0;    // greater than that of everything it reads
    std::vector<int> inputs, users;
  };
  void Raise(int group, int level);
  std::vector<Group> groups_;
  std::vector<int> visited_;  // by group: the search that saw it last
  int search_ = 0;
};

}  // namespace gradus::passes
