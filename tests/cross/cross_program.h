#pragma once

// Compiled entries in a program for another architecture, run by an emulator: object files and
// calls in, results out. One program and one run for many calls, for starting either takes a while.

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tensor.h"

namespace gradus::tests {

// What makes and runs programs for a target (codegen::NamedTarget).
struct Toolchain {
  std::string target;
  std::string compiler;  // a command, which also links
  std::string file;      // that is there where the target's C library is
  std::string emulator;  // a command
  std::string lacks;     // an element type that the processor has no instructions for
  // Rows of the op table that it cannot do without a library, or the emulator not at all.
  std::set<std::string_view> without;
};
// "aarch64", "riscv64", "riscv64-v", and "cortex-m4", whose code also runs in a process of Linux.
const Toolchain& ToolchainFor(std::string_view target);

class CrossProgram {
 public:
  // Files go to a new folder in `directory`, which goes with the program.
  CrossProgram(const Toolchain& toolchain, const std::string& directory);
  ~CrossProgram();
  CrossProgram(const CrossProgram&) = delete;
  CrossProgram& operator=(const CrossProgram&) = delete;

  // What is not installed of a toolchain; "" if all is.
  static std::string Missing(const Toolchain& toolchain);

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

  const Toolchain& toolchain_;
  std::string folder_;
  std::vector<std::string> objects_, symbols_;
  std::string calls_;  // what the driver reads
  size_t num_calls_ = 0;
};

}  // namespace gradus::tests
