#pragma once

// --max-arena=2MiB@B=32,T=100 and --dim=B=32: for which sizes memory is planned, and how much of it
// there is.

#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "passes/pass.h"

namespace gradus::tools {

// The help of --max-arena.
inline constexpr std::string_view kMaxArenaHelp =
    "the most that an entry's arena may take, e.g. 2MiB@B=32";

// Sets context.max_arena and context.sizes; an empty `max_arena` says nothing.
absl::Status SetArena(std::string_view max_arena, std::span<const std::string> dims,
                      passes::PassContext& context);

}  // namespace gradus::tools
