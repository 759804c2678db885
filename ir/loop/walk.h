#pragma once

// A walk over the scalars that an expression is made of. Expressions are DAGs, so a walk that does
// not remember where it was takes time exponential in their depth: this one sees each scalar once.

#include <span>
#include <type_traits>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "ir/loop/scalar.h"

namespace gradus::loop {

// Calls visit(scalar) once for each scalar that the roots reach, users before what only they use,
// roots and operands from the first to the last. Where `visit` returns bool, false passes the
// scalar's operands by.
template <typename Visit>
void ForEachReached(std::span<const Scalar* const> roots, Visit&& visit) {
  absl::flat_hash_set<const Scalar*> seen;
  std::vector<const Scalar*> pending(roots.rbegin(), roots.rend());
  while (!pending.empty()) {
    const Scalar* s = pending.back();
    pending.pop_back();
    if (!seen.insert(s).second) continue;
    if constexpr (std::is_same_v<std::invoke_result_t<Visit&, const Scalar*>, bool>) {
      if (!visit(s)) continue;
    } else {
      visit(s);
    }
    pending.insert(pending.end(), s->operands.rbegin(), s->operands.rend());
  }
}
template <typename Visit>
void ForEachReached(const Scalar* root, Visit&& visit) {
  ForEachReached(std::span<const Scalar* const>(&root, 1), visit);
}

}  // namespace gradus::loop
