#pragma once

// What a library holds code for: several levels of x86-64, from which a program chooses when it
// runs, or one target of another architecture.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "codegen/library.h"

namespace gradus {

// The levels of these names (codegen::TargetNames), lowest first; "host" is the highest one that
// this machine runs. An error names what does not go together, and what there is.
absl::StatusOr<std::vector<codegen::LibraryLevel>> ChooseLevels(std::span<const std::string> names);

// What is meant by an architecture ("riscv64"; a triple is as good) and names of its targets, none
// for those that run most widely.
absl::StatusOr<std::vector<std::string>> TargetsOf(std::string_view architecture,
                                                   std::span<const std::string> names);

}  // namespace gradus
