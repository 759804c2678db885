#pragma once

// What schedules of kernels are worth within their program, where caches are as other kernels leave
// them. Private to tuning.

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/module.h"
#include "passes/pass.h"

namespace gradus {

// For each of `after` the time of each kernel whose choices differ, of that in `before`; the larger
// of two rounds. All programs run in turns, on arrays as CallTrials makes them. Errors:
// kUnimplemented where kernels cannot be timed so (all but x86-64), no memory, or `time_is_up` says
// so.
absl::StatusOr<std::vector<std::map<std::string, double>>> RatiosInProgram(
    const ir::Module& module, std::string_view pipeline, const passes::PassContext& before,
    std::span<const passes::PassContext> after, const std::function<bool()>& time_is_up);

}  // namespace gradus
