#pragma once

// What a kernel is about, where one place must stand for all of it.

#include "ir/function.h"

namespace gradus::ir {

// Of the nodes whose place in the user's source is known: the first contraction, else the last that
// is computed from something. Null: there is none.
const Node* MainNode(const Function& kernel);

}  // namespace gradus::ir
