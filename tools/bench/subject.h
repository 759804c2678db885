#pragma once

// What gradus-bench measures: one function of a module before any pass, and what to call it with.

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/module.h"
#include "passes/operations.h"
#include "runtime/tensor.h"
#include "tools/bench/networks.h"

namespace gradus::tools {

using passes::CountOperations;
using passes::PlannedOperations;
using passes::Sizes;

struct Subject {
  std::string name;   // as the user wrote it
  std::string mode;   // "train" or "infer"
  int64_t batch = 0;  // 0: it has none
  std::unique_ptr<ir::Module> module;
  std::string function;
  Sizes sizes;                             // of the function's symbols
  std::vector<runtime::Tensor> arguments;  // as they are before the first call
  int64_t updated_parameters = 0;          // by Adam, in a call
  bool is_network = false;                 // rather than a single operation
};

// A step of training, or the forward pass: weights from their initialisers, the optimiser at its
// start, random inputs. `batch` 0: the network's own.
absl::StatusOr<Subject> NetworkSubject(const Network& network, bool training, int64_t batch);
// See operations.h. Random arguments; those that are updated in place start from zeros.
absl::StatusOr<Subject> OperationSubject(const std::string& name, bool gradients);
// A function of a module in a file: the one named, else @train_step or @forward as the mode says,
// else the only one. Random arguments.
struct FileOptions {
  std::string file, function;
  bool training = false;
  int64_t batch = 0;              // the size of the symbol B
  std::vector<std::string> dims;  // "T=12", of others
};
absl::StatusOr<Subject> FileSubject(const FileOptions& options);

}  // namespace gradus::tools
