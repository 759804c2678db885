#pragma once

// What is said where an entry's workspace would be larger than the user allows.

#include "absl/status/status.h"
#include "ir/function.h"
#include "passes/memory/plan_builder.h"
#include "passes/pass.h"

namespace gradus::passes {

// Names the values that take most of the memory when it is fullest, with their layers and lines.
absl::Status ArenaTooLarge(const ir::Function& entry, const PlannedEntry& planned,
                           const PassContext& context);

}  // namespace gradus::passes
