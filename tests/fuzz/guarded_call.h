#pragma once

// Calls an executable with every buffer between canaries, the workspace included, and compares what
// comes out.

#include <string>

#include "runtime/executable.h"
#include "tests/fuzz/product_case.h"

namespace gradus::fuzz {

// Empty, or what went wrong: a status, a value out of its bound, a byte written outside a buffer or
// into an argument.
std::string CallAndCompare(const runtime::Executable& executable, ir::DType dtype,
                           const ProductCall& call);

}  // namespace gradus::fuzz
