#pragma once

// Modules in files, as the tools take them: reading one, choosing its function, asking for a
// gradient.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/module.h"

namespace gradus::tools {

// "-": standard input. Errors name the file.
absl::StatusOr<std::unique_ptr<ir::Module>> ReadModule(const std::string& path);

// The graph function of that name; for "", the only one that no other function calls.
absl::StatusOr<ir::Function*> ChooseFunction(ir::Module& module, std::string_view name);

// Index of a result by its name or number.
absl::StatusOr<int> FindResult(const ir::Function& function, std::string_view result);

// Makes the gradients of a float scalar result with respect to the arguments `wanted`
// (comma-separated names; "": all float ones) the function's only results, named d_<argument>.
absl::Status ReplaceByGradient(ir::Module& module, ir::Function& function, std::string_view result,
                               std::string_view wanted);

// The names between commas; empty ones are left out.
std::vector<std::string> SplitNames(std::string_view names);

}  // namespace gradus::tools
