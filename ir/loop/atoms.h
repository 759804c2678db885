#pragma once

// Identities of floor-divisions and remainders, shared by the files that implement index.h.

#include "ir/loop/index.h"

namespace gradus::loop {

int64_t FloorDiv(int64_t a, int64_t b);  // b > 0

Index FormOf(const Term& term);

// c*d * floor(n / d) + c * (n mod d) is c * n.
Index RecombineAtoms(Index form);

}  // namespace gradus::loop
