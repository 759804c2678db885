#include "frontend/data/array.h"

#include <utility>
#include <vector>

#include "fmt/format.h"
#include "frontend/data/gzip.h"
#include "frontend/data/idx.h"
#include "runtime/npy.h"

namespace gradus::data {
namespace {

template <typename T>
std::vector<double> ColumnOf(const runtime::Tensor& array, int64_t columns, int64_t column) {
  std::vector<double> cells;
  const auto values = array.data<T>();
  for (size_t i = static_cast<size_t>(column); i < values.size();
       i += static_cast<size_t>(columns)) {
    cells.push_back(static_cast<double>(values[i]));
  }
  return cells;
}

std::vector<double> ColumnOfAny(const runtime::Tensor& array, int64_t columns, int64_t column) {
  switch (array.dtype()) {
    case runtime::DType::kF32: return ColumnOf<float>(array, columns, column);
    case runtime::DType::kF64: return ColumnOf<double>(array, columns, column);
    case runtime::DType::kI32: return ColumnOf<int32_t>(array, columns, column);
    case runtime::DType::kI64: return ColumnOf<int64_t>(array, columns, column);
    case runtime::DType::kI1: return ColumnOf<uint8_t>(array, columns, column);
  }
  return {};
}

}  // namespace

absl::StatusOr<runtime::Tensor> ReadArray(std::string_view path, int64_t max_bytes) {
  absl::StatusOr<std::string> bytes = ReadFileOrGzip(path, max_bytes);
  if (!bytes.ok()) return bytes.status();
  if (bytes->starts_with("\x93NUMPY")) return runtime::ParseNpy(*bytes, path);
  if (bytes->size() >= 2 && (*bytes)[0] == 0 && (*bytes)[1] == 0) return ParseIdx(*bytes, {}, path);
  return absl::InvalidArgumentError(
      fmt::format("{}: neither an npy nor an IDX file: it starts with neither \\x93NUMPY nor two "
                  "zero bytes",
                  path));
}

absl::StatusOr<Table> TableFromArray(const runtime::Tensor& array,
                                     std::span<const std::string> names) {
  if (array.rank() < 1 || array.rank() > 2) {
    return absl::InvalidArgumentError(
        fmt::format("a table is made of an array [rows, columns], got {}",
                    runtime::FormatType(array.dtype(), array.shape())));
  }
  const int64_t columns = array.rank() == 2 ? array.shape()[1] : 1;
  if (!names.empty() && static_cast<int64_t>(names.size()) != columns) {
    return absl::InvalidArgumentError(
        fmt::format("{} names for {} columns", names.size(), columns));
  }
  std::vector<Column> made;
  for (int64_t c = 0; c < columns; ++c) {
    made.push_back({names.empty() ? fmt::format("column_{}", c + 1) : names[static_cast<size_t>(c)],
                    ColumnOfAny(array, columns, c)});
  }
  return Table::Create(std::move(made));
}

}  // namespace gradus::data
