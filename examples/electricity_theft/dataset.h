#pragma once

// From a meter CSV to arrays for training and testing.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "examples/electricity_theft/detectors.h"
#include "frontend/data/batches.h"
#include "frontend/data/table.h"

namespace gradus::electricity_theft {

struct DataOptions {
  std::string csv;                    // path; empty: synthetic customers
  std::string train_rows, test_rows;  // npy files of row numbers; empty: a stratified split
  double test_fraction = 0.3;
  uint64_t seed = 0;  // of the split
};

// Arrays to train and to test on: input "x" f32 of the view's shape, target "theft" [n, 1] f32.
struct TrainAndTest {
  data::Dataset train, test;
};

// Customers of one part of the split: a table of months, gaps filled, and who is a thief.
struct Customers {
  data::Table months;
  std::vector<float> answers;  // 1 = thief
};

struct MeterData {
  Customers train, test;
  int64_t months = 0;
  int64_t thieves = 0, customers = 0;
  std::string source;

  // Standardised with the training part's means and deviations. Errors: fewer customers than a
  // window.
  absl::StatusOr<TrainAndTest> Show(View view) const;
};

// Reads, coerces cells that are no numbers to missing and missing to 0, and splits. Standardised
// are the months with the training part's means and deviations.
absl::StatusOr<MeterData> LoadMeters(const DataOptions& options);

}  // namespace gradus::electricity_theft
