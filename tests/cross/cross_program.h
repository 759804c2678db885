#pragma once

// Compiled entries in a program for another architecture, run by an emulator: object files and
// calls in, results out. One program and one run for many calls, for starting either takes a while.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tensor.h"

namespace gradus::tests {

class CrossProgram {
 public:
  // Files go to a new folder in `directory`, which goes with the program.
  explicit CrossProgram(const std::string& directory);
  ~CrossProgram();
  CrossProgram(const CrossProgram&) = delete;
  CrossProgram& operator=(const CrossProgram&) = delete;

  // What is not installed of the cross compiler and the emulator for AArch64; "" if both are.
  static std::string Missing();

  // Entries that the object has, by symbol (<prefix>_<function>). No two objects share one.
  absl::Status AddObject(std::string_view object, std::span<const std::string> symbols);
  // Calls are numbered as they come.
  absl::Status AddCall(std::string_view symbol, std::span<const runtime::Tensor> arguments);

  // Links and runs. Results of each call. The driver keeps each buffer between pages that cannot be
  // touched and runs each call twice, as guarded_run.h does.
  absl::StatusOr<std::vector<std::vector<runtime::Tensor>>> Run();

 private:
  std::string PathOf(std::string_view name) const;
  absl::Status WriteTable() const;

  std::string folder_;
  std::vector<std::string> objects_, symbols_;
  std::string calls_;  // what the driver reads
  size_t num_calls_ = 0;
};

}  // namespace gradus::tests
