#include "ir/diagnostic.h"

namespace gradus::ir {

std::string Diagnostic::ToString() const {
  std::string text = location.known() ? location.ToString() + ": error: " : "error: ";
  text += message;
  for (const std::string& note : notes) text += "\n  " + note;
  if (!help.empty()) text += "\n  help: " + help;
  return text;
}

absl::Status Diagnostic::ToStatus() const { return absl::InvalidArgumentError(ToString()); }

}  // namespace gradus::ir
