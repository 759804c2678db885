#include "passes/kernels/group_graph.h"

#include <algorithm>

#include "ir/check.h"

namespace gradus::passes {
namespace {
// A search that has seen so many groups gives up: a missed fusion, in exchange for compile time
// linear in the graph.
constexpr int kSearchLimit = 256;
}  // namespace

int GroupGraph::Add() {
  groups_.emplace_back();
  visited_.push_back(0);
  return static_cast<int>(groups_.size()) - 1;
}

int GroupGraph::Find(int group) {
  int root = group;
  while (groups_[static_cast<size_t>(root)].parent >= 0)
    root = groups_[static_cast<size_t>(root)].parent;
  while (group != root) {
    int& parent = groups_[static_cast<size_t>(group)].parent;
    group = parent;
    parent = root;
  }
  return root;
}

// Steps: set the level; every user must stand above it.
void GroupGraph::Raise(int group, int level) {
  std::vector<std::pair<int, int>> pending = {{group, level}};
  while (!pending.empty()) {
    const auto [g, want] = pending.back();
    pending.pop_back();
    Group& at = groups_[static_cast<size_t>(Find(g))];
    if (at.level >= want) continue;
    at.level = want;
    for (const int user : at.users) pending.emplace_back(user, want + 1);
  }
}

void GroupGraph::AddEdge(int from, int to) {
  from = Find(from);
  to = Find(to);
  if (from == to) return;
  auto& inputs = groups_[static_cast<size_t>(to)].inputs;
  if (std::find(inputs.begin(), inputs.end(), from) != inputs.end()) return;
  inputs.push_back(from);
  groups_[static_cast<size_t>(from)].users.push_back(to);
  Raise(to, groups_[static_cast<size_t>(from)].level + 1);
}

bool GroupGraph::Reaches(int from, int to) {
  from = Find(from);
  to = Find(to);
  if (from == to) return true;
  const int floor = groups_[static_cast<size_t>(from)].level;
  if (groups_[static_cast<size_t>(to)].level <= floor) return false;
  ++search_;
  int seen = 0;
  std::vector<int> pending = {to};
  while (!pending.empty()) {
    const int g = pending.back();
    pending.pop_back();
    for (const int input : groups_[static_cast<size_t>(g)].inputs) {
      const int next = Find(input);
      if (next == from) return true;
      int& mark = visited_[static_cast<size_t>(next)];
      if (mark == search_ || groups_[static_cast<size_t>(next)].level <= floor) continue;
      mark = search_;
      if (++seen > kSearchLimit) return true;
      pending.push_back(next);
    }
  }
  return false;
}

bool GroupGraph::CanMerge(int a, int b) {
  a = Find(a);
  b = Find(b);
  for (const auto& [first, second] : {std::pair(a, b), std::pair(b, a)}) {
    for (const int input : groups_[static_cast<size_t>(second)].inputs) {
      const int third = Find(input);
      if (third != first && third != second && Reaches(first, third)) return false;
    }
  }
  return true;
}

int GroupGraph::Merge(int a, int b) {
  a = Find(a);
  b = Find(b);
  if (a == b) return a;
  Group& into = groups_[static_cast<size_t>(a)];
  Group& from = groups_[static_cast<size_t>(b)];
  auto take = [&](std::vector<int>& to, std::vector<int>& list) {
    to.insert(to.end(), list.begin(), list.end());
    list.clear();
  };
  take(into.inputs, from.inputs);
  take(into.users, from.users);
  from.parent = a;
  auto clean = [&](std::vector<int>& list) {  // no edges to itself, none twice
    for (int& g : list) g = Find(g);
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    std::erase(list, a);
  };
  clean(into.inputs);
  clean(into.users);
  const int level = std::max(into.level, from.level);
  into.level = level;
  for (const int user : std::vector<int>(into.users)) Raise(user, level + 1);
  return a;
}

}  // namespace gradus::passes
