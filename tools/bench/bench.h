#pragma once

// gradus-bench: how fast a network or an operation runs here, beside the fastest that this machine
// allows.

#include <span>
#include <string>

#include "tools/driver/flags.h"

namespace gradus::tools {

// The whole program but for main: returns the exit code.
int RunBench(std::span<const std::string> arguments, const Output& output);

}  // namespace gradus::tools
