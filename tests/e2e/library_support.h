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

// A small model with everything that a training may keep: running statistics, draws, slots.
inline Model Small() {
  Model m("theft");
  Tensor h = m.Input("x", {kBatch, 3});
  h = m.Add<Dense>("hidden", 5, relu)(h);
  h = m.Add<BatchNorm>("norm")(h);
  h = m.Add<Dropout>("dropout", 0.5)(h);
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(h));
  return m;
}

}  // namespace gradus::tests
