#pragma once

// All of a plan as text, for the object cache's key: unlike loop::Print it leaves nothing out that
// decides the code, and is not meant for reading. Private to codegen.

#include <string>

#include "ir/loop/plan.h"

namespace gradus::codegen {

std::string PlanText(const loop::Plan& plan);

}  // namespace gradus::codegen
