#pragma once

// The arguments of a run: read from files, or made up from a seed, with the symbols' sizes that
// follow from both.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/function.h"
#include "passes/operations.h"
#include "runtime/tensor.h"

namespace gradus::tools {

struct InputOptions {
  // In order of the arguments, or NAME=...: @FILE.npy, or a number for every element.
  std::vector<std::string> inputs;
  std::vector<std::string> dims;  // "B=32", for symbols that no file fixes
  int64_t seed = 0;
};

// One tensor an argument. Those not given are random, the same for equal seeds: floats from [-1,
// 1), integers 0 or 1. Errors name the file and the argument.
absl::StatusOr<std::vector<runtime::Tensor>> MakeInputs(const ir::Function& function,
                                                        const InputOptions& options);

// The sizes of symbols, read off the arguments.
passes::Sizes SizesOf(const ir::Function& function, const std::vector<runtime::Tensor>& arguments);

}  // namespace gradus::tools
