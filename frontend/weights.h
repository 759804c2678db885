#pragma once

#include <functional>
#include <map>
#include <string>

#include "runtime/tensor.h"

namespace gradus {

// Parameters and layers' states by name.
using Weights = std::map<std::string, runtime::Tensor, std::less<>>;

}  // namespace gradus
