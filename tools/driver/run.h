#pragma once

// gradus-run: IR text and arrays in, arrays out.

#include <span>
#include <string>

#include "tools/driver/flags.h"

namespace gradus::tools {

// The whole program but for main: returns the exit code.
int RunRun(std::span<const std::string> arguments, const Output& output);

}  // namespace gradus::tools
