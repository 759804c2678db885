#pragma once

// Reads the text that printer.h writes. Errors name file:line:column, show the offending line and a
// caret, and say what was expected. Any input is safe: no recursion but into nested operands, which
// have a limit (see folding.h), no allocation beyond a small multiple of the text's size.

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "ir/module.h"

namespace gradus::ir {

absl::StatusOr<std::unique_ptr<Module>> Parse(std::string_view text, std::string_view file_name);

}  // namespace gradus::ir
