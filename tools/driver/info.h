#pragma once

// gradus-info: what libraries say about themselves.

#include <span>
#include <string>

#include "tools/driver/flags.h"

namespace gradus::tools {

// The whole program but for main: returns the exit code.
int RunInfo(std::span<const std::string> arguments, const Output& output);

}  // namespace gradus::tools
