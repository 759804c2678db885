#pragma once

// What gradus-report does: histories of trainings in, one page of pictures out.

#include <span>
#include <string>

#include "tools/driver/flags.h"

namespace gradus::tools {

int RunReport(std::span<const std::string> arguments, const Output& output);

}  // namespace gradus::tools
