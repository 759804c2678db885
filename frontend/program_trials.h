#pragma once

// What schedules of kernels are worth within their program, where caches are as other kernels leave
// them. Private to tuning.

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "ir/module.h"
#include "passes/pass.h"

namespace gradus {

// The time of each kernel whose choices differ in `after`, of that in `before`; the larger of two
// rounds. Both programs run in turns, on arrays as CallTrials makes them. Errors: kUnimplemented
// where kernels cannot be timed so (all but x86-64), no memory, or `time_is_up` says so.
absl::StatusOr<std::map<std::string, double>> RatiosInProgram(
    const ir::Module& module, std::string_view pipeline, const passes::PassContext& before,
    const passes::PassContext& after, const std::function<bool()>& time_is_up);

}  // namespace gradus
