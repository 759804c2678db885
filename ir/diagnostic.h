#pragma once

// What the user did wrong, in a form that says what, where in their file, what was expected and
// got, and what to do next. Carried across the API as an absl::Status whose message is the text
// below.
//
//   theft.cpp:12:12: error: add: [B, 32] and [B, 48, 32] do not line up (2 axes, 3 axes)
//     left:  lstm_1  (theft.cpp:10:12) -> [B, 32]
//     right: proj_1  (theft.cpp:11:12) -> [B, 48, 32]
//     help: lstm_1 returns the last step only; return_sequences gives [B, 48, 32]

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ir/location.h"

namespace gradus::ir {

struct Diagnostic {
  Location location;
  std::string message;             // lower case, one sentence, no full stop
  std::vector<std::string> notes;  // each printed on a line of its own, indented
  std::string help;                // next step; may be empty
  std::string text;                // if set, all of the above already in the form of ToString

  // Wraps a status whose message is a diagnostic's text.
  static Diagnostic FromStatus(const absl::Status& status);
  std::string ToString() const;
  absl::Status ToStatus() const;  // InvalidArgument
};

}  // namespace gradus::ir
