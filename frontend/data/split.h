// Which rows train a model and which test it: by chance with every class represented alike, in k
// folds, or as somebody else decided. Row numbers count from 0.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace gradus::data {

struct Split {
  std::vector<int64_t> train;
  std::vector<int64_t> test;
};

// Puts ceil(test_fraction * n) of the n rows in the test part, of each class its share (rounded so
// that the sum is right, at least one on either side). The rows of both parts come in random order.
// A class is a distinct value of `labels`. Errors: a fraction outside (0, 1), a missing label, a
// class with one row, a part with fewer rows than classes.
absl::StatusOr<Split> StratifiedSplit(std::span<const double> labels, double test_fraction,
                                      uint64_t seed);

// k splits whose test parts share out all rows, each with every class in its share (the sizes of a
// class in two folds differ by one at most). 2 <= folds <= the rows of the smallest class.
absl::StatusOr<std::vector<Split>> StratifiedFolds(std::span<const double> labels, int64_t folds,
                                                   uint64_t seed);

// The same without labels, for numbers to be predicted: ceil(test_fraction * n) random rows are
// tested; k splits whose test parts share out all rows.
absl::StatusOr<Split> RandomSplit(int64_t rows, double test_fraction, uint64_t seed);
absl::StatusOr<std::vector<Split>> RandomFolds(int64_t rows, int64_t folds, uint64_t seed);

// Checks given rows of a table with `rows` rows: none out of range, none twice, none in both parts,
// no part empty. Rows may be left out.
absl::StatusOr<Split> SplitByRows(Split split, int64_t rows);

// The same, the rows read from two npy files of integers with one axis.
absl::StatusOr<Split> SplitFromNpy(std::string_view train_path, std::string_view test_path,
                                   int64_t rows);

}  // namespace gradus::data
