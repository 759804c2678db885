#pragma once

// What our command-line programs have in common: flags written --name=value, help on one screen
// with the examples last, suggestions for unknown flags, and exit codes.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"

namespace gradus::tools {

inline constexpr int kGood = 0, kUserError = 1, kBadFlags = 2, kInternalError = 70;

// Where a program writes; tests give strings.
struct Output {
  std::function<void(std::string_view)> out, err;
};
Output StandardOutput();

struct Flag {
  std::string_view name;  // without dashes
  std::string_view
      value;  // what stands after '=' in the help; empty: a switch, which --name=false turns off
  std::string_view help;
  std::variant<bool*, int64_t*, double*, std::string*, std::vector<std::string>*> target;
  std::string_view short_name = {};  // one letter
};

struct Program {
  std::string_view name, summary;
  std::string_view usage;  // what follows the name
  std::vector<Flag> flags;
  std::vector<std::string>* files = nullptr;  // what stands without a flag
  std::string_view examples;                  // whole lines
};

// Fills in the targets. Returns nothing if the program shall go on, or its exit code: kGood after
// --help and --version, kBadFlags after a message. A single dash works for long names, too
// (-opt-bisect-limit=3).
std::optional<int> ParseFlags(const Program& program, std::span<const std::string> arguments,
                              const Output& output);
std::string Help(const Program& program);
// Says what is wrong with the flags and returns kBadFlags.
int BadUse(const Program& program, const Output& output, std::string_view message);

// The nearest of `names`, or "" if none is near.
std::string_view Closest(std::string_view name, std::span<const std::string_view> names);

// A program's main: failed checks and exceptions, our mistakes all, end it with kInternalError.
using RunFunction = int (*)(std::span<const std::string> arguments, const Output& output);
int Main(int argc, char** argv, RunFunction run);

// Prints "error: ..." if there is one, and says how the program ends: internal errors give
// kInternalError.
int Finish(const absl::Status& status, const Output& output);

}  // namespace gradus::tools
