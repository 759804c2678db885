// Whole files in and out, so that a reader sees all of a file or an error, and never half of a new
// one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gradus::runtime {

inline constexpr int64_t kNoLimit = INT64_MAX;

// The bytes of a file or pipe. kNotFound, kPermissionDenied, kFailedPrecondition (a folder),
// kResourceExhausted (more than `max_bytes`, or no memory), kUnavailable (a failing device); each
// names the path.
absl::StatusOr<std::string> ReadFile(std::string_view path, int64_t max_bytes = kNoLimit);

// Replaces or creates a file: written beside it, flushed to the disk, then renamed over it, so that
// after a crash the old content or the new is there. Keeps the permissions of a file that it
// replaces, follows a symbolic link, and writes straight into what is not a file (a pipe,
// /dev/stdout).
absl::Status WriteFileAtomically(std::string_view path, std::string_view bytes);

}  // namespace gradus::runtime
