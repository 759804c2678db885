#pragma once

// What a library says about itself, in itself: the model's name and hash, the compiler, the levels
// of instructions, the entries; and a self-test, inputs and weights drawn from a fixed stream and
// what forward gives for them (runtime/standalone/selftest.c).

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "codegen/library.h"
#include "frontend/library/interface.h"

namespace gradus {

// `text`: lines of "name: value". The self-test runs forward of `graph` if `interface` has it; the
// numbers that it must give are those of plain code for the interface's architecture, one number at
// a time, which this machine runs to find them.
absl::StatusOr<codegen::LibraryPassport> MakePassport(const CInterface& interface,
                                                      const ir::Module& graph,
                                                      const std::string& text);

struct Passport {
  std::string text;  // lines of "name: value"
  std::vector<double> expected;
  double tolerance = 0;
};
// All passports in the bytes of an archive, an object or a program. Nothing is run. Errors, which
// name the file: none is there; one is cut off, damaged, or of another version.
absl::StatusOr<std::vector<Passport>> ReadPassports(std::string_view bytes, std::string_view file);

}  // namespace gradus
