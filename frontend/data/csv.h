// Reads comma-separated text (RFC 4180) into a Table: quoted cells with doubled quotes, delimiters
// and line ends inside; lines that end in LF, CRLF or CR; a UTF-8 byte order mark; blank lines are
// skipped. Reads a file of numbers at a few hundred megabytes a second.
//
// Errors name the file, the line and column (both counted from 1) and what was found there:
//   meters.csv:17: column 5 (Mar): expected a number, got "n/k"; ...
//   meters.csv:18: expected 14 cells as in line 1, got 13
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/data/table.h"

namespace gradus::data {

// What to do with a cell that is no number (ParseNumber in table.h says what is one; empty cells
// are missing numbers).
enum class NonNumeric {
  kText,    // the whole column is text
  kCoerce,  // the cell is missing
  kError,
};

struct CsvOptions {
  char delimiter = ',';
  // The first line holds names. Without: column_1, column_2, ...; a nameless column is called so
  // too.
  bool header = true;
  NonNumeric non_numeric = NonNumeric::kText;
  // Columns that are text whatever they hold, such as identifiers made of digits.
  std::vector<std::string> text_columns;
  // Replaces the missing numbers.
  std::optional<double> fill;
  // A larger file is refused. Memory stays below this plus about eight times the file for the
  // table.
  int64_t max_bytes = int64_t{1} << 32;
};

// Also of files that gzip compressed.
absl::StatusOr<Table> ReadCsv(std::string_view path, const CsvOptions& options = {});

// `name` stands for the file in error messages.
absl::StatusOr<Table> ParseCsv(std::string_view text, const CsvOptions& options = {},
                               std::string_view name = "csv");

}  // namespace gradus::data
