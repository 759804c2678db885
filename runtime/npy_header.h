// The header of an npy file, a Python dictionary of three known keys; a part of the reader in
// npy.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gradus::runtime {

inline constexpr size_t kNpyMaxRank = 64;  // NumPy's own limit

struct NpyHeader {
  std::string_view descr;  // "<f4"; a part of the parsed text
  bool fortran_order = false;
  std::vector<int64_t> shape;  // sizes of 0 or more; their product is not checked
};

// Errors that name the file.
class NpyRefusal {
 public:
  explicit NpyRefusal(std::string_view name) : name_(name) {}
  absl::Status operator()(std::string_view what) const;

 private:
  std::string_view name_;
};

// What a file holds, cut to a length and a character set that suit a message.
std::string NpyExcerpt(std::string_view text);

absl::StatusOr<NpyHeader> ParseNpyHeader(std::string_view text, NpyRefusal refuse);

}  // namespace gradus::runtime
