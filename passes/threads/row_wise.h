#pragma once

// Whether a kernel does for each row what it does for all others, and nothing between rows.

#include "ir/loop/kernel.h"

namespace gradus::passes {

// True if an array has a row for each step of `rows`: its first axis has that size and no other
// has.
bool HasRows(const ir::Type& type, ir::Symbol rows);

// True if the kernel, called with the rows [a, b) of its arrays that have rows and with the size
// b - a for `rows`, writes what it would have written there had it been called with all rows:
// * it writes arrays with rows only, and each row of them;
// * a store to row i loads of arrays with rows row i alone;
// * neither `rows` nor the number of a row is part of a value or a position.
bool IsRowWise(const loop::Kernel& kernel, ir::Symbol rows);

}  // namespace gradus::passes
