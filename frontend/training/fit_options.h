#pragma once

// How a model is fitted to data.

#include <cstdint>
#include <cstdio>

#include "frontend/data/batches.h"
#include "frontend/training/progress.h"

namespace gradus {

struct FitOptions {
  int64_t epochs = 1;
  int64_t batch_size = 32;
  bool shuffle = true;
  uint64_t seed = 0;                          // of the shuffling
  const data::Dataset* validation = nullptr;  // evaluated after every epoch
  ProgressMode progress = ProgressMode::kAuto;
  std::FILE* out = stdout;
};

}  // namespace gradus
