// The header of a safetensors file, a JSON object of a fixed form; a part of the reader in
// safetensors.h. It reads that form alone, strictly and without recursion: what does not belong
// there, nesting above all, is refused at its byte.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gradus::runtime {

// The reference implementation's limit.
inline constexpr uint64_t kSafetensorsMaxHeaderBytes = 100'000'000;
inline constexpr size_t kSafetensorsMaxRank = 64;

struct SafetensorsEntry {
  std::string name;
  std::string dtype;           // as in the file: "BF16"
  std::vector<int64_t> shape;  // sizes of 0 or more; their product is not checked
  int64_t begin = 0, end = 0;  // bytes of the data part; not checked
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> tensors;  // in the file's order
  std::map<std::string, std::string, std::less<>> metadata;
};

// `name` stands for the file in error messages; `text` starts at byte 8 of it.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view text,
                                                         std::string_view name);

// Whether all of `text` is UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view text);

// A JSON string with its quotes; `text` is UTF-8.
std::string JsonQuote(std::string_view text);

// What a file holds, cut to a length and a character set that suit a message.
std::string SafetensorsExcerpt(std::string_view text);

}  // namespace gradus::runtime
