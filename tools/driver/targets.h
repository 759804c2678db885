#pragma once

// What --target-cpu and --print-targets mean, in every program that has them.

#include <string>

#include "absl/status/statusor.h"
#include "ir/target.h"
#include "tools/driver/flags.h"

namespace gradus::tools {

// --target-cpu=NAME, kept in `name`.
Flag TargetFlag(std::string* name);
// The target of that name; of none, what is compiled for by default. A status for an unknown one.
absl::StatusOr<ir::Target> TargetOf(std::string_view name);
// A line a target: what code for it uses, and whether it runs here.
std::string DescribeTargets();

}  // namespace gradus::tools
