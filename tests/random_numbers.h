#pragma once

// Inputs and labels for tests of models, the same in every run.

#include <cstdint>
#include <vector>

#include "frontend/data/philox.h"

namespace gradus::tests {

// `count` numbers of a standard normal distribution, or, if binary, 0 and 1 by their sign.
inline std::vector<float> Numbers(int64_t count, uint64_t stream, bool binary) {
  data::PhiloxStream random(stream);
  std::vector<float> numbers(static_cast<size_t>(count));
  for (float& v : numbers) {
    const double n = random.Normal();
    v = binary ? (n > 0 ? 1.0F : 0.0F) : static_cast<float>(n);
  }
  return numbers;
}

}  // namespace gradus::tests
