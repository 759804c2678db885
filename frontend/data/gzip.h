// Files that may be compressed with gzip (RFC 1952), by zlib.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gradus::data {

bool IsGzip(std::string_view bytes);

struct Gunzipped {
  std::string bytes;
  bool complete = false;  // the end was reached, and its checksum and length are right
};

// At most `max_bytes` of what is compressed in `bytes`. Memory grows with what comes out, not with
// what a file claims. `name` stands for the file in error messages. Errors: damaged, truncated,
// trailing bytes.
absl::StatusOr<Gunzipped> Gunzip(std::string_view bytes, int64_t max_bytes, std::string_view name);

// The bytes of a file, decompressed if they are gzip's. kResourceExhausted: more than `max_bytes`.
absl::StatusOr<std::string> ReadFileOrGzip(std::string_view path,
                                           int64_t max_bytes = int64_t{1} << 32);

}  // namespace gradus::data
