#pragma once

// Runs one case: builds its graph, compiles it, takes the steps of its optimiser, and compares
// every tensor.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/compile.h"
#include "tests/refs/models.h"

namespace gradus::refs {

// The failures, a line each: tensor, worst element, got and want. Empty: the case passed.
absl::StatusOr<std::vector<std::string>> RunCase(const RefCase& reference, BuildCase build,
                                                 DType dtype, const CompileOptions& options);

}  // namespace gradus::refs
