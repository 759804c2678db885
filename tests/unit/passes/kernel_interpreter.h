#pragma once

// Runs loop IR as it is written: the meaning that plans and generated code must have. Slow, for
// small sizes.

#include <map>
#include <string>
#include <vector>

#include "ir/loop/kernel.h"
#include "ir/module.h"

namespace gradus::testing {

// Elements in row-major order; floats and integers alike as doubles (integers of tests are small).
struct Array {
  ir::Type type;
  std::vector<double> elements;
};
using Sizes = std::map<std::string, int64_t>;  // of symbols

int64_t Elements(const ir::Shape& shape, const Sizes& sizes);

// Runs the stores in order over `buffers` (inputs, then outputs); several buffers may be one array.
void RunKernel(const loop::Kernel& kernel, const std::vector<Array*>& buffers, const Sizes& sizes);

// Runs a function whose nodes are all calls of kernels with loops attached. Results in order;
// aliases are ignored.
std::vector<Array> RunFunction(const ir::Module& module, const ir::Function& function,
                               const std::vector<Array>& arguments, const Sizes& sizes);

}  // namespace gradus::testing
