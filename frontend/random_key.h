#pragma once

// What a draw of random numbers takes: random_uniform(key.seed, key.stream, type). A model's
// NextRandomKey makes one for each place of a draw, Scan one for each step of a loop.

#include "frontend/tensor.h"

namespace gradus {

struct RandomKey {
  Tensor seed, stream;  // i64[]
};

}  // namespace gradus
