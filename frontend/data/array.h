// Arrays from files of any kind that Gradus reads.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "frontend/data/table.h"
#include "runtime/tensor.h"

namespace gradus::data {

// An npy or IDX file, plain or compressed with gzip, told apart by how it starts. `max_bytes`
// bounds what is decompressed.
absl::StatusOr<runtime::Tensor> ReadArray(std::string_view path,
                                          int64_t max_bytes = int64_t{1} << 32);

// A table from an array [rows, columns] (or [rows]: one column) of numbers; `names` as many as
// columns, or none: column_1, column_2, ... NaN is a missing number.
absl::StatusOr<Table> TableFromArray(const runtime::Tensor& array,
                                     std::span<const std::string> names = {});

}  // namespace gradus::data
