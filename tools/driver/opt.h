#pragma once

// gradus-opt: IR text in, passes, text out.

#include <span>
#include <string>

#include "tools/driver/flags.h"

namespace gradus::tools {

// The whole program but for main: returns the exit code.
int RunOpt(std::span<const std::string> arguments, const Output& output);

}  // namespace gradus::tools
