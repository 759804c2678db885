#pragma once

// Where a value comes from: the user's source file (or IR text), the layer it belongs to, and
// whether it is of the backward pass. Prints as theft.cpp:12:12; in IR text as
// loc("theft.cpp":12:12 in "hidden"), or loc("theft.cpp":12:12 in "hidden" backward).

#include <memory>
#include <source_location>
#include <string>
#include <string_view>

namespace gradus::ir {

struct Location {
  std::shared_ptr<const std::string> file;   // null: unknown
  int line = 0, column = 0;                  // from 1; 0: unknown
  std::shared_ptr<const std::string> scope;  // the layer's name, or null
  bool backward = false;                     // a part of the gradient of what stands there
  bool from_ir_text =
      false;  // the place in the IR text itself, for messages: never printed as loc(...)

  Location() = default;
  Location(std::string_view file_name, int line_number, int column_number = 0);
  // Keeps the last component of the file's path.
  explicit Location(const std::source_location& source);

  bool known() const { return file != nullptr; }
  std::string_view scope_name() const {
    return scope ? std::string_view(*scope) : std::string_view();
  }
  std::string ToString() const;  // "theft.cpp:12:12", "" if unknown
};

}  // namespace gradus::ir
