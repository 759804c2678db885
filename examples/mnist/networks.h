// The networks that read digits.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "frontend/model.h"

namespace gradus::mnist {

struct Network {
  std::string_view name;
  std::string_view about;
  int64_t epochs, batch_size;
  // Makes the input "x" [B, 28, 28, 1] and the output "digit" [B, 10], logits.
  void (*build)(Model& model);
};

std::span<const Network> Networks();

}  // namespace gradus::mnist
