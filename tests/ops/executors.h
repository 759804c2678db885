#pragma once

// The ways to run the functions of a module, all of which must agree.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ir/module.h"
#include "runtime/executable.h"
#include "runtime/thread_pool.h"
#include "tests/ops/array.h"

namespace gradus::test {

// "interpreted" reads loop IR; any other name is a pipeline, and its code is compiled; "shared" is
// the default pipeline for a machine on which the least work is worth sharing, on four threads.
class Executor {
 public:
  static absl::StatusOr<Executor> Create(const ir::Module& module, std::string_view way);
  absl::StatusOr<std::vector<Array>> Run(std::string_view function,
                                         const std::vector<Array>& operands) const;

 private:
  std::unique_ptr<ir::Module> interpreted_;
  std::map<std::string, runtime::Executable, std::less<>> compiled_;
  std::unique_ptr<runtime::ThreadPool> pool_;  // null: one thread
};

}  // namespace gradus::test
