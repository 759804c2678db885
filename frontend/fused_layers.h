#pragma once

// Where the layers of a model end up: the kernels of the compiled forward pass that hold their
// nodes.

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "ir/module.h"
#include "ir/target.h"

namespace gradus {

// By layer (Location::scope), the names of the kernels in the order in which they run, and of the
// bodies of loops over time as "loop <body>": "hidden_matmul_tanh", "loop lstm_step, out_matmul".
// More than three are counted. `forward` is the graph that `pipeline` would begin with; it is
// changed.
absl::StatusOr<std::map<std::string, std::string, std::less<>>> FusedLayers(
    ir::Module& module, const std::string& function, const std::string& pipeline,
    const ir::Target& target);

}  // namespace gradus
