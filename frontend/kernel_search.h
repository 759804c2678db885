#pragma once

// The fastest schedule of one kernel, by measurement. Private to tune.cpp.

#include <functional>
#include <optional>

#include "frontend/kernel_trials.h"
#include "frontend/tune.h"

namespace gradus {

// Schedules of the kernel, the best first, that look better than the tables'; with `decides` the
// one at most that certainly is. Nothing if `time_is_up` says so before the end, or the kernel
// cannot be run alone (no memory).
std::optional<std::vector<KernelChoices>> FindSchedules(const KernelUse& use,
                                                        const passes::PassContext& context,
                                                        const TuneTimer& timer, bool decides,
                                                        const std::function<bool()>& time_is_up);

}  // namespace gradus
