#pragma once

// From a meter CSV to arrays for training and testing.

#include <string>

#include "absl/status/statusor.h"
#include "frontend/data/batches.h"

namespace gradus::electricity_theft {

struct DataOptions {
  std::string csv;                    // path; empty: synthetic customers
  std::string train_rows, test_rows;  // npy files of row numbers; empty: a stratified split
  double test_fraction = 0.3;
  uint64_t seed = 0;  // of the split
};

struct MeterData {
  data::Dataset train, test;  // input "x" [n, months] f32, target "theft" [n, 1] f32
  int64_t months = 0;
  int64_t thieves = 0, customers = 0;
  std::string source;
};

// Reads, coerces cells that are no numbers to missing and missing to 0, splits, and standardises
// the months with the training part's means and deviations.
absl::StatusOr<MeterData> LoadMeters(const DataOptions& options);

}  // namespace gradus::electricity_theft
