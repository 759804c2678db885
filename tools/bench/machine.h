#pragma once

// What this machine can do, measured when asked: times are judged by these, so that a figure means
// the same on another processor.

#include <cstdint>

#include "absl/status/statusor.h"

namespace gradus::tools {

// Seconds of a clock that only moves forward, and of this thread's time on a processor.
double WallSeconds();
double ThreadSeconds();

// How fast the processor's time stamp counter counts; 0 where there is none.
double MeasureTicksPerSecond();

// Billions of f32 operations a second: independent fused multiply-adds in registers, in all of
// `threads` threads at once. Medians of a tenth of a second.
double MeasurePeak(int threads = 1);

// Bytes a parameter that one step of Adam moves: it reads the parameter, two moments and the
// gradient, and writes all but the gradient.
inline constexpr int64_t kAdamBytes = 28;
// Billions of bytes a second of a pass over so many parameters with that traffic and next to no
// arithmetic, one thread, again and again over the same memory.
absl::StatusOr<double> MeasureUpdateBandwidth(int64_t parameters);

}  // namespace gradus::tools
