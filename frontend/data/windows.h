// Sliding windows: sequences cut from what has no sequence axis of its own.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "frontend/data/batches.h"
#include "runtime/tensor.h"

namespace gradus::data {

// Overlapping windows of `length` consecutive rows: rows [n, ...] -> [count, length, ...], where
// window i holds the rows i * stride to i * stride + length - 1 and
// count = (n - length) / stride + 1. Errors: length or stride below 1, fewer rows than one window.
absl::StatusOr<runtime::Tensor> RowWindows(const runtime::Tensor& rows, int64_t length,
                                           int64_t stride = 1);

// The last row of each window: labels [n, ...] -> [count, ...], as RowWindows counts.
absl::StatusOr<runtime::Tensor> LastOfWindows(const runtime::Tensor& labels, int64_t length,
                                              int64_t stride = 1);

// Both at once, for every array of a dataset: inputs become windows, targets those of the last row
// (create_sequences of many a tutorial). [n, 12] and [n, 1] with length 12 give [n - 11, 12, 12]
// and [n - 11, 1].
absl::StatusOr<Dataset> CreateSequences(const Dataset& rows, int64_t length, int64_t stride = 1);

struct TimeWindowOptions {
  int64_t length = 1;   // time steps that the model sees
  int64_t horizon = 1;  // the first answer is so many steps after the last step seen
  int64_t answers = 1;  // time steps to be answered
  int64_t stride = 1;   // steps between the starts of windows
};

// Forecasting: from series [n, T, features] (or one series [T, features]) the windows
// x [count, length, features] and what follows them, y [count, answers, features]; windows never
// reach from one series into the next. Named `name` and `name`_next. Errors: as above.
absl::StatusOr<Dataset> TimeWindows(const runtime::Tensor& series, const TimeWindowOptions& options,
                                    const std::string& name = "x");

}  // namespace gradus::data
