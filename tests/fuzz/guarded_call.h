#pragma once

// Calls an executable in guarded memory (tests/guarded_run.h) and compares what comes out.

#include <string>
#include <string_view>

#include "runtime/executable.h"
#include "tests/fuzz/product_case.h"

namespace gradus::fuzz {

// Empty, or what went wrong: a status, a value out of its bound, a byte written outside a buffer or
// into an argument. What touches memory far outside ends the program with the label.
std::string CallAndCompare(const runtime::Executable& executable, ir::DType dtype,
                           const ProductCall& call, std::string_view label);

}  // namespace gradus::fuzz
