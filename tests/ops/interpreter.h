#pragma once

// Runs loop IR by reading it: slow, and with nothing between the lowering rules and the numbers, so
// that a wrong number tells a wrong rule from wrong code.

#include <vector>

#include "absl/status/statusor.h"
#include "ir/function.h"
#include "tests/ops/array.h"

namespace gradus::test {

// Lowers the whole function to one kernel and evaluates its stores. Symbols are bound by the
// operands' shapes.
absl::StatusOr<std::vector<Array>> Interpret(const ir::Function& f,
                                             const std::vector<Array>& operands);

}  // namespace gradus::test
