#pragma once

// What tests of libraries have in common.

#include <string>

#include "frontend/gradus.h"
#include "runtime/files.h"
#include "tests/shell.h"

namespace gradus::tests {

// Of gcc, for programs that use a library.
inline constexpr const char* kCFlags = "-std=c99 -O1 -Wall -Wextra -pedantic -Werror";

inline std::string Contents(const std::string& path) {
  auto bytes = runtime::ReadFile(path);
  return bytes.ok() ? *bytes : "(no file)";
}

inline TrainingOptions Training() {
  return {.optimizer = Adam{}, .loss = binary_crossentropy, .metrics = {accuracy}};
}

}  // namespace gradus::tests
