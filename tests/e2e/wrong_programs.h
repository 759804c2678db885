#pragma once

// What a wrong program is told: the tests name the essential parts of each message and their order.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "frontend/gradus.h"

namespace gradus {

// The message holds these parts in this order, and is one diagnostic: no part stands alone on a
// first line.
inline void ExpectParts(const absl::Status& status, std::initializer_list<std::string_view> parts) {
  ASSERT_FALSE(status.ok());
  const std::string message(status.message());
  size_t from = 0;
  for (const std::string_view part : parts) {
    const size_t at = message.find(part, from);
    EXPECT_NE(at, std::string::npos) << "missing: " << part << "\nin: " << message;
    if (at != std::string::npos) from = at + part.size();
  }
}

// "wrong_models_test.cpp:17:", to be called on the line after the wrong one.
inline std::string At(std::string_view file, int line) {
  return std::string(file) + ":" + std::to_string(line) + ":";
}
#define GRADUS_LINE_ABOVE \
  At(std::string_view(__FILE__).substr(std::string_view(__FILE__).rfind('/') + 1), __LINE__ - 1)

inline TrainingOptions SomeTraining() { return {.optimizer = SGD{}, .loss = mean_squared_error}; }
inline absl::Status CompileError(const Model& m, const TrainingOptions& t = SomeTraining()) {
  return Compile(m, t).status();
}
inline absl::Status CompileError(Graph& g) { return Compile(g).status(); }

}  // namespace gradus
