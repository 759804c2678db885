#include "frontend/data/table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace gradus::data {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

std::string_view Trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// Whether `text` is one of the usual words for "no value", in any case.
bool IsMissingWord(std::string_view text) {
  if (text.size() < 2 || text.size() > 4) return false;
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower == "nan" || lower == "na" || lower == "n/a" || lower == "null";
}

// Most cells of most tables: a few digits with at most one point. 15 digits and the power of ten
// are exact in double, so their quotient is the nearest double. Returns false for anything longer
// or else.
bool ParseShortDecimal(std::string_view cell, double& value) {
  constexpr std::array<double, 16> kPowers = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                              1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  if (cell.empty() || cell.size() > 16) return false;
  int64_t digits = 0;
  size_t count = 0, point = cell.size();
  for (size_t i = 0; i < cell.size(); ++i) {
    const auto digit = static_cast<unsigned char>(cell[i] - '0');
    if (digit < 10) {
      digits = digits * 10 + digit;
      ++count;
    } else if (cell[i] == '.' && point == cell.size()) {
      point = i;
    } else {
      return false;
    }
  }
  if (count == 0 || count > 15) return false;
  const size_t decimals = point == cell.size() ? 0 : cell.size() - point - 1;
  value = static_cast<double>(digits);
  if (decimals > 0) value /= kPowers[decimals];
  return true;
}

template <class T>
void WriteColumn(std::span<const double> numbers, size_t column, size_t columns, std::span<T> out) {
  for (size_t i = 0; i < numbers.size(); ++i) {
    out[i * columns + column] = static_cast<T>(numbers[i]);
  }
}

}  // namespace

bool ParseNumber(std::string_view cell, double& value) {
  if (ParseShortDecimal(cell, value)) return true;
  cell = Trim(cell);
  if (cell.empty()) {
    value = kMissing;
    return true;
  }
  std::string_view digits = cell;
  if (digits.front() == '+' && digits.size() > 1 && digits[1] != '-') digits.remove_prefix(1);
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (error == std::errc() && stop == end && std::isfinite(value)) return true;
  value = kMissing;
  return IsMissingWord(cell);
}

void TextCells::Append(std::string_view cell) {
  bytes_.append(cell);
  ends_.push_back(bytes_.size());
}

std::string_view TextCells::operator[](int64_t row) const {
  const auto i = static_cast<size_t>(row);
  const size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(bytes_).substr(begin, ends_[i] - begin);
}

int64_t Column::size() const {
  if (const auto* numbers = std::get_if<std::vector<double>>(&cells)) {
    return static_cast<int64_t>(numbers->size());
  }
  return std::get<TextCells>(cells).size();
}

absl::StatusOr<Table> Table::Create(std::vector<Column> columns) {
  Table table;
  absl::flat_hash_set<std::string> seen;
  for (const Column& column : columns) {
    if (!seen.insert(column.name).second) {
      return absl::InvalidArgumentError(
          fmt::format("two columns are named \"{}\"; rename one", column.name));
    }
    if (column.size() != columns[0].size()) {
      return absl::InvalidArgumentError(
          fmt::format("column \"{}\" has {} rows, and column \"{}\" has {}", column.name,
                      column.size(), columns[0].name, columns[0].size()));
    }
  }
  table.rows_ = columns.empty() ? 0 : columns[0].size();
  table.columns_ = std::move(columns);
  return table;
}

std::vector<std::string> Table::names() const {
  std::vector<std::string> names;
  for (const Column& column : columns_) names.push_back(column.name);
  return names;
}

const Column* Table::Find(std::string_view name) const {
  for (const Column& column : columns_) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

absl::StatusOr<const Column*> Table::Get(std::string_view name) const {
  if (const Column* column = Find(name)) return column;
  constexpr size_t kShown = 20;
  std::vector<std::string> shown = names();
  const size_t more = shown.size() - std::min(shown.size(), kShown);
  shown.resize(shown.size() - more);
  return absl::NotFoundError(fmt::format("no column \"{}\"; there are {}{}", name,
                                         fmt::join(shown, ", "),
                                         more > 0 ? fmt::format(" and {} more", more) : ""));
}

absl::StatusOr<std::span<const double>> Table::Numbers(std::string_view name) const {
  absl::StatusOr<const Column*> column = Get(name);
  if (!column.ok()) return column.status();
  if (!(*column)->numeric()) {
    return absl::InvalidArgumentError(
        fmt::format("column \"{}\" holds text; turn it into numbers with ToNumeric", name));
  }
  return std::span<const double>(std::get<std::vector<double>>((*column)->cells));
}

absl::StatusOr<const TextCells*> Table::Text(std::string_view name) const {
  absl::StatusOr<const Column*> column = Get(name);
  if (!column.ok()) return column.status();
  if ((*column)->numeric()) {
    return absl::InvalidArgumentError(fmt::format(
        "column \"{}\" holds numbers; name it in CsvOptions::text_columns to read it as text",
        name));
  }
  return &std::get<TextCells>((*column)->cells);
}

absl::StatusOr<Table> Table::Select(std::span<const std::string_view> names) const {
  std::vector<Column> chosen;
  for (std::string_view name : names) {
    absl::StatusOr<const Column*> column = Get(name);
    if (!column.ok()) return column.status();
    chosen.push_back(**column);
  }
  absl::StatusOr<Table> table = Create(std::move(chosen));
  if (table.ok()) table->rows_ = rows_;  // also when no column is left
  return table;
}

absl::StatusOr<Table> Table::Drop(std::span<const std::string_view> names) const {
  const absl::flat_hash_set<std::string> dropped(names.begin(), names.end());
  for (std::string_view name : names) {
    if (absl::StatusOr<const Column*> column = Get(name); !column.ok()) return column.status();
  }
  std::vector<std::string_view> kept;
  for (const Column& column : columns_) {
    if (!dropped.contains(column.name)) kept.push_back(column.name);
  }
  return Select(kept);
}

absl::StatusOr<Table> Table::Select(std::initializer_list<std::string_view> names) const {
  return Select(std::span(names.begin(), names.size()));
}

absl::StatusOr<Table> Table::Drop(std::initializer_list<std::string_view> names) const {
  return Drop(std::span(names.begin(), names.size()));
}

absl::StatusOr<Table> Table::Rows(std::span<const int64_t> rows) const {
  for (int64_t row : rows) {
    if (row < 0 || row >= rows_) {
      return absl::OutOfRangeError(
          fmt::format("no row {}; the table has rows 0 to {}", row, rows_ - 1));
    }
  }
  Table result;
  result.rows_ = static_cast<int64_t>(rows.size());
  for (const Column& column : columns_) {
    Column& out = result.columns_.emplace_back(Column{column.name, {}});
    if (const auto* numbers = std::get_if<std::vector<double>>(&column.cells)) {
      auto& chosen = std::get<std::vector<double>>(out.cells);
      chosen.reserve(rows.size());
      for (int64_t row : rows) chosen.push_back((*numbers)[static_cast<size_t>(row)]);
    } else {
      const auto& text = std::get<TextCells>(column.cells);
      auto& chosen = out.cells.emplace<TextCells>();
      for (int64_t row : rows) chosen.Append(text[row]);
    }
  }
  return result;
}

absl::StatusOr<Table> Table::ToNumeric(bool coerce) const {
  Table result = *this;
  for (Column& column : result.columns_) {
    if (column.numeric()) continue;
    const auto& text = std::get<TextCells>(column.cells);
    std::vector<double> numbers(static_cast<size_t>(rows_));
    for (int64_t row = 0; row < rows_; ++row) {
      if (!ParseNumber(text[row], numbers[static_cast<size_t>(row)]) && !coerce) {
        return absl::InvalidArgumentError(fmt::format(
            "column \"{}\", row {}: expected a number, got \"{}\"; coerce to read such cells as "
            "missing, or drop the column",
            column.name, row, text[row]));
      }
    }
    column.cells = std::move(numbers);
  }
  return result;
}

Table Table::FillMissing(double value) const {
  Table result = *this;
  for (Column& column : result.columns_) {
    auto* numbers = std::get_if<std::vector<double>>(&column.cells);
    if (numbers == nullptr) continue;
    std::ranges::replace_if(*numbers, [](double x) { return std::isnan(x); }, value);
  }
  return result;
}

int64_t Table::CountMissing() const {
  int64_t count = 0;
  for (const Column& column : columns_) {
    const auto* numbers = std::get_if<std::vector<double>>(&column.cells);
    if (numbers == nullptr) continue;
    count += std::ranges::count_if(*numbers, [](double x) { return std::isnan(x); });
  }
  return count;
}

absl::StatusOr<runtime::Tensor> Table::ToTensor(runtime::DType dtype) const {
  if (dtype != runtime::DType::kF32 && dtype != runtime::DType::kF64) {
    return absl::InvalidArgumentError(
        fmt::format("a table becomes a tensor of f32 or f64, not {}", runtime::DTypeName(dtype)));
  }
  absl::StatusOr<runtime::Tensor> tensor =
      runtime::Tensor::Create(dtype, {rows_, static_cast<int64_t>(columns_.size())});
  if (!tensor.ok()) return tensor;
  for (size_t j = 0; j < columns_.size(); ++j) {
    absl::StatusOr<std::span<const double>> numbers = Numbers(columns_[j].name);
    if (!numbers.ok()) return numbers.status();
    if (dtype == runtime::DType::kF32) {
      WriteColumn(*numbers, j, columns_.size(), tensor->data<float>());
    } else {
      WriteColumn(*numbers, j, columns_.size(), tensor->data<double>());
    }
  }
  return tensor;
}

}  // namespace gradus::data
