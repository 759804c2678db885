#pragma once

// Code for one size of a symbol, beside the code for all sizes: a batch of 1, say.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "codegen/library.h"
#include "frontend/library/interface.h"
#include "ir/module.h"

namespace gradus {

// "B", 1.
using SpecialSize = std::pair<std::string, int64_t>;

// Graphs for the size: the entries of `graph` that have the symbol. Errors: a symbol that no entry
// has, or a size that cannot be.
absl::StatusOr<std::unique_ptr<ir::Module>> ForSize(const ir::Module& graph,
                                                    const SpecialSize& special);
// All that is wrong with a list before any graph is looked at.
absl::Status CheckSpecialSizes(const std::vector<SpecialSize>& sizes);

// Raises the arenas of the interface's functions to what the lowered entries for one size need.
absl::Status AddArenas(const codegen::LibrarySpecial& special, CInterface& interface);

}  // namespace gradus
