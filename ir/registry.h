#pragma once

// All op records, in a fixed order. ir/ops/all.cpp lists the tables of the files beside it: no
// static registration.

#include <span>
#include <string_view>

#include "ir/op_def.h"

namespace gradus::ir {

std::span<const OpDef* const> AllOps();      // sorted by name
const OpDef* FindOp(std::string_view name);  // null if there is none
std::string_view ClosestOpName(
    std::string_view name);  // for "did you mean"; empty if nothing is near

}  // namespace gradus::ir
