#include "ir/diagnostic.h"

namespace gradus::ir {

Diagnostic Diagnostic::FromStatus(const absl::Status& status) {
  Diagnostic d;
  d.text = std::string(status.message());
  return d;
}

std::string Diagnostic::ToString() const {
  if (!text.empty()) return text;
  std::string out = location.known() ? location.ToString() + ": error: " : "error: ";
  out += message;
  for (const std::string& note : notes) out += "\n  " + note;
  if (!help.empty()) out += "\n  help: " + help;
  return out;
}

absl::Status Diagnostic::ToStatus() const { return absl::InvalidArgumentError(ToString()); }

}  // namespace gradus::ir
