#pragma once

// Reading scalars and index forms: the walks and the questions that every part of scheduling asks.

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "ir/loop/plan.h"

namespace gradus::passes::scheduling {

using loop::Arena;
using loop::Extent;
using loop::Index;
using loop::Scalar;
using loop::ScalarKind;
using loop::Variable;
using Variables = std::vector<const Variable*>;

// Every scalar below the roots once, operands before users.
std::vector<const Scalar*> PostOrder(std::span<const Scalar* const> roots);

// Calls `visit` for each index form that a scalar holds itself (of a load, an index value, a
// guard's conditions).
void ForEachForm(const Scalar& scalar, const std::function<void(const Index&)>& visit);

// What stands before `v` in a form, as a form without variables; terms hidden in atoms do not
// count.
Index CoefficientOf(const Index& form, const Variable* v);
// The same as a number; nullopt if a symbol is in it.
std::optional<int64_t> Stride(const Index& form, const Variable* v);
// True if `v` occurs in the numerator of an atom of the form.
bool InAtom(const Index& form, const Variable* v);
// True if the form has no atoms.
bool IsAffine(const Index& form);

// A condition that is low <= v < high of a loop v and numbers; nullopt: it is none.
struct Bounded {
  const Variable* v = nullptr;
  int64_t low = 0, high = 0;
};
std::optional<Bounded> AsBounded(const loop::Condition& condition);

// Rebuilds `root` bottom up; `rewrite` gets each reduction with its body already rebuilt and says
// what stands for it.
using ReduceRewrite = std::function<const Scalar*(const Scalar& reduce, const Scalar* body)>;
const Scalar* RewriteReductions(Arena& arena, const Scalar* root, const ReduceRewrite& rewrite);

bool Contains(std::span<const Variable* const> list, const Variable* v);

}  // namespace gradus::passes::scheduling
