// A table of named columns, as read from a CSV file: the place where data is cleaned before it
// becomes tensors. A column is numeric (double, a missing cell is NaN) or text.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/tensor.h"

namespace gradus::data {

// Many strings in one piece of memory.
class TextCells {
 public:
  void Append(std::string_view cell);
  int64_t size() const { return static_cast<int64_t>(ends_.size()); }
  std::string_view operator[](int64_t row) const;

 private:
  std::string bytes_;
  std::vector<size_t> ends_;  // cell i ends before byte ends_[i]
};

struct Column {
  std::string name;
  std::variant<std::vector<double>, TextCells> cells;

  bool numeric() const { return cells.index() == 0; }
  int64_t size() const;
};

class Table {
 public:
  Table() = default;
  // All columns must be of one length and of different names.
  static absl::StatusOr<Table> Create(std::vector<Column> columns);

  int64_t rows() const { return rows_; }
  std::span<const Column> columns() const { return columns_; }
  std::vector<std::string> names() const;
  bool Has(std::string_view name) const { return Find(name) != nullptr; }

  // The cells of one column; an error names the columns that there are.
  absl::StatusOr<std::span<const double>> Numbers(std::string_view name) const;
  absl::StatusOr<const TextCells*> Text(std::string_view name) const;

  // A new table of these columns in this order, or of all but these.
  absl::StatusOr<Table> Select(std::span<const std::string_view> names) const;
  absl::StatusOr<Table> Drop(std::span<const std::string_view> names) const;
  absl::StatusOr<Table> Select(std::initializer_list<std::string_view> names) const;
  absl::StatusOr<Table> Drop(std::initializer_list<std::string_view> names) const;

  // A new table of these rows in this order; a row may come more than once.
  absl::StatusOr<Table> Rows(std::span<const int64_t> rows) const;

  // Turns every text column into numbers. A cell that is none becomes NaN with `coerce`, and is an
  // error without.
  absl::StatusOr<Table> ToNumeric(bool coerce) const;

  // Replaces every missing number.
  Table FillMissing(double value) const;
  int64_t CountMissing() const;

  // All columns, which must be numeric, as one tensor [rows, columns] of f32 or f64.
  absl::StatusOr<runtime::Tensor> ToTensor(runtime::DType dtype = runtime::DType::kF32) const;

 private:
  const Column* Find(std::string_view name) const;
  absl::StatusOr<const Column*> Get(std::string_view name) const;

  int64_t rows_ = 0;
  std::vector<Column> columns_;
};

// Reads a whole cell as a finite number (spaces around it and a leading + are fine). An empty cell
// and NaN, NA, N/A, null in any case are missing: NaN. Returns false for anything else.
bool ParseNumber(std::string_view cell, double& value);

}  // namespace gradus::data
