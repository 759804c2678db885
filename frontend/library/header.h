#pragma once

// The C header of a library: its documentation.

#include <span>
#include <string>
#include <utility>

#include "frontend/library/interface.h"
#include "frontend/library/saved_model.h"

namespace gradus {

struct HeaderFacts {
  std::string library;               // "libtheft.a"
  std::span<const std::string> isa;  // "x86-64-v3", lowest first
  // Sizes of symbols that have code of their own: "B" and 1.
  std::span<const std::pair<std::string, int64_t>> specials;
  bool embedded_weights = false;
  bool asks_environment = true;  // which level
  int64_t file_bytes = 0;        // of saved weights
};

// C99, which C++ reads, too.
std::string HeaderText(const CInterface& interface, const SavedModel& model,
                       const HeaderFacts& facts);

}  // namespace gradus
