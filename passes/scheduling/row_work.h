#pragma once

// What is evaluated along the rows of a nest: questions that all of rows.cpp and stagger.cpp ask.

#include <span>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "passes/scheduling/forms.h"

namespace gradus::passes::scheduling {

using ScalarSet = absl::flat_hash_set<const Scalar*>;

// From so many operations along the row on, a group's code takes too long to compile.
constexpr int kGroupOperations = 160;

// What the stores of a nest store, what the reductions of a pass reduce, and all of both.
std::vector<const Scalar*> ValuesOf(const loop::Nest& nest);
std::vector<const Scalar*> BodiesOf(const loop::RowPass& pass);
std::vector<const Scalar*> RootsOf(const loop::Nest& nest);

// What is evaluated along the row for these roots: everything outside guards and reductions.
ScalarSet Along(std::span<const Scalar* const> roots, const Variable* row);

// How long an operation takes, a simple one 1.
int OperationCost(const Scalar& s);

// True if something below `root` reads what the nest stores.
bool ReadsStored(const loop::Nest& nest, const Scalar* root);

// True if rows may be gone over together: no row needs what another one stores. `within` is the
// innermost loop around the row, null if there is none.
bool CanGroup(const loop::Nest& nest, const Variable* row, const Variable* within);

}  // namespace gradus::passes::scheduling
