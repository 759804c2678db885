// Made-up handwritten digits, so that this example runs where MNIST is not. Each is one of ten 5x7
// drawings, put on 28x28 pixels with a size, a slant, a turn, a place and a stroke of its own, and
// noise. They are easier than MNIST: what a network reaches on them says that it learns, no more.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "frontend/data/batches.h"

namespace gradus::mnist {

inline constexpr int64_t kSide = 28;  // of an image, in pixels
inline constexpr int64_t kClasses = 10;

// `samples` images x: f32 [samples, 28, 28, 1] in 0..1 and labels y: i64 [samples]. The n-th image
// follows from (seed, n) alone.
absl::StatusOr<data::Dataset> MakeDigits(int64_t samples, uint64_t seed);

}  // namespace gradus::mnist
