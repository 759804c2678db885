#pragma once

// The fastest schedule of one kernel, by measurement. Private to tune.cpp.

#include <functional>
#include <optional>

#include "frontend/kernel_trials.h"
#include "frontend/tune.h"

namespace gradus {

// One choice a product, open where the tables' is as good as any. Nothing if `time_is_up` says so
// before the end, or the kernel cannot be run alone (no memory).
std::optional<KernelChoices> FindSchedule(const KernelUse& use, const passes::PassContext& context,
                                          const TuneOptions& options,
                                          const std::function<bool()>& time_is_up);

}  // namespace gradus
