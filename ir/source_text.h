#pragma once

// A text being read, for messages: the offending line with a caret under the place.

#include <string>
#include <string_view>

#include "ir/diagnostic.h"
#include "ir/lexer.h"

namespace gradus::ir {

// Where a token stands.
struct TextPlace {
  size_t offset = 0;  // in bytes
  int line = 1, column = 1;

  TextPlace() = default;
  TextPlace(const Token& token) : offset(token.offset), line(token.line), column(token.column) {}
};

// Name of the file and the text itself, both owned by the caller.
struct SourceText {
  std::string_view file, text;

  // With the line (long ones cut round the place) and the caret as notes.
  Diagnostic Error(const TextPlace& place, std::string message, std::string help = {}) const;
};

// A token as messages show it: 'matmul', a newline and control characters made visible, cut where
// it is long.
std::string Describe(const Token& token);

}  // namespace gradus::ir
