#pragma once

// gradusc: a model file in, a static library with a C header out.

#include <span>
#include <string>

#include "tools/driver/flags.h"

namespace gradus::tools {

// The whole program but for main: returns the exit code.
int RunGradusc(std::span<const std::string> arguments, const Output& output);

}  // namespace gradus::tools
