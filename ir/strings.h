#pragma once

// The one bridge between std::string_view and Debian's own absl::string_view, which do not convert.

#include <string_view>

#include "absl/strings/string_view.h"

namespace gradus {

inline absl::string_view ToAbsl(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view ToStd(absl::string_view s) { return {s.data(), s.size()}; }

}  // namespace gradus
