#include "ir/registry.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace gradus::ir {
namespace {

// Insertions, deletions, changes of one letter and swaps of two neighbours (optimal string
// alignment).
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    next[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      next[j + 1] = std::min({row[j] + (a[i] == b[j] ? 0 : 1), next[j] + 1, row[j + 1] + 1});
      const bool swapped = i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j];
      if (swapped) next[j + 1] = std::min(next[j + 1], before[j - 1] + 1);
    }
    std::swap(before, row);
    std::swap(row, next);
  }
  return row.back();
}

}  // namespace

const OpDef* FindOp(std::string_view name) {
  const std::span<const OpDef* const> ops = AllOps();
  const auto found =
      std::lower_bound(ops.begin(), ops.end(), name,
                       [](const OpDef* op, std::string_view n) { return op->name < n; });
  return found != ops.end() && (*found)->name == name ? *found : nullptr;
}

std::string_view ClosestOpName(std::string_view name) {
  std::string_view closest;
  // At most a third of the letters wrong. Of two that are as near, the one with as many letters:
  // "tahn" is tanh rather than tan.
  size_t best = 2 * (std::max<size_t>(1, name.size() / 3) + 1);
  if (name.size() > 64) return closest;  // a name of ours is never that long
  for (const OpDef* op : AllOps()) {
    // "sum" for "reduce_sum": a whole name within an op's counts as one slip.
    const bool inside = name.size() >= 3 && op->name.find(name) != std::string_view::npos;
    const size_t distance = inside ? 1 : EditDistance(name, op->name);
    const size_t rank = 2 * distance + (op->name.size() == name.size() ? 0 : 1);
    if (rank >= best) continue;
    best = rank;
    closest = op->name;
  }
  return closest;
}

}  // namespace gradus::ir
