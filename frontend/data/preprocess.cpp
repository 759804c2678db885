#include "frontend/data/preprocess.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "fmt/format.h"

namespace gradus::data {
namespace {

// Distinct cells in order of their bytes; at most `limit` + 1 of them.
std::vector<std::string> CategoriesOf(const TextCells& cells, size_t limit) {
  std::set<std::string, std::less<>> distinct;
  for (int64_t row = 0; row < cells.size() && distinct.size() <= limit; ++row) {
    if (!distinct.contains(cells[row])) distinct.emplace(cells[row]);
  }
  return {distinct.begin(), distinct.end()};
}

double Mean(std::span<const double> numbers) {
  double sum = 0;
  for (const double x : numbers) sum += x;
  return sum / static_cast<double>(numbers.size());
}

double Median(std::vector<double> numbers) {
  std::ranges::sort(numbers);
  const size_t middle = numbers.size() / 2;
  return numbers.size() % 2 == 1 ? numbers[middle] : numbers[middle - 1] / 2 + numbers[middle] / 2;
}

absl::StatusOr<double> FillOf(const std::string& name, std::span<const double> present,
                              const PreprocessOptions& options) {
  if (options.fill == FillWith::kValue) return options.fill_value;
  if (present.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("column \"{}\" has no number in the training part; drop it, or fill with a "
                    "value",
                    name));
  }
  return options.fill == FillWith::kMean ? Mean(present) : Median({present.begin(), present.end()});
}

absl::StatusOr<FittedColumn> FitNumbers(const std::string& name, std::span<const double> cells,
                                        const PreprocessOptions& options) {
  FittedColumn column{.name = name};
  std::vector<double> present;
  for (const double x : cells) {
    if (!std::isnan(x)) present.push_back(x);
  }
  const auto fill = FillOf(name, present, options);
  if (!fill.ok()) return fill.status();
  column.fill = *fill;
  std::vector<double> filled(cells.begin(), cells.end());
  for (double& x : filled) x = std::isnan(x) ? column.fill : x;
  const auto [low, high] = std::ranges::minmax(filled);
  if (low == high && options.scale != ScaleTo::kAsIs) {
    column.offset = low;  // a constant column becomes 0
  } else if (options.scale == ScaleTo::kUnitRange) {
    column.offset = low;
    column.scale = high - low;
  } else if (options.scale == ScaleTo::kStandard) {
    column.offset = Mean(filled);
    double squares = 0;
    for (const double x : filled) squares += (x - column.offset) * (x - column.offset);
    column.scale = std::sqrt(squares / static_cast<double>(filled.size()));
  }
  if (!std::isfinite(column.offset) || !std::isfinite(column.scale) || column.scale == 0) {
    return absl::InvalidArgumentError(
        fmt::format("column \"{}\" lies between {} and {}, a span too wide or too narrow to scale "
                    "in double",
                    name, low, high));
  }
  return column;
}

// The numbers of a column, where text is missing.
std::vector<double> NumbersOf(const Column& column) {
  if (column.numeric()) return std::get<0>(column.cells);
  const auto& text = std::get<TextCells>(column.cells);
  std::vector<double> numbers;
  for (int64_t row = 0; row < text.size(); ++row) {
    double value = std::nan("");
    if (!ParseNumber(text[row], value)) value = std::nan("");
    numbers.push_back(value);
  }
  return numbers;
}

const Column* Find(const Table& table, std::string_view name) {
  for (const Column& c : table.columns()) {
    if (c.name == name) return &c;
  }
  return nullptr;
}

// Writes one table column into the features [rows, features] from `at` on.
template <typename T>
void Write(const FittedColumn& fitted, const Column& column, bool raw, size_t at, size_t features,
           std::span<T> out) {
  const auto rows = static_cast<size_t>(column.size());
  if (fitted.categories.empty()) {
    const std::vector<double> numbers = NumbersOf(column);
    for (size_t row = 0; row < rows; ++row) {
      double x = numbers[row];
      if (!raw) x = ((std::isnan(x) ? fitted.fill : x) - fitted.offset) / fitted.scale;
      out[row * features + at] = static_cast<T>(x);
    }
    return;
  }
  const TextCells* text = column.numeric() ? nullptr : &std::get<TextCells>(column.cells);
  for (size_t row = 0; row < rows; ++row) {
    const std::string_view cell =
        text == nullptr ? std::string_view() : (*text)[static_cast<int64_t>(row)];
    for (size_t c = 0; c < fitted.categories.size(); ++c) {
      out[row * features + at + c] =
          static_cast<T>(text != nullptr && fitted.categories[c] == cell ? 1 : 0);
    }
  }
}

}  // namespace

absl::StatusOr<Preprocess> Preprocess::Fit(const Table& training,
                                           const PreprocessOptions& options) {
  if (training.rows() == 0) return absl::InvalidArgumentError("the training table has no rows");
  Preprocess fitted;
  for (const Column& column : training.columns()) {
    if (column.numeric()) {
      auto numbers = FitNumbers(column.name, std::get<0>(column.cells), options);
      if (!numbers.ok()) return numbers.status();
      fitted.columns_.push_back(*std::move(numbers));
      continue;
    }
    const auto limit = static_cast<size_t>(std::max<int64_t>(options.max_categories, 0));
    FittedColumn text{.name = column.name};
    text.categories = CategoriesOf(std::get<TextCells>(column.cells), limit);
    if (text.categories.size() > limit) {
      return absl::InvalidArgumentError(
          fmt::format("column \"{}\" has more than {} categories; drop it if it is a name, or make "
                      "it numbers with Table::ToNumeric",
                      column.name, limit));
    }
    fitted.columns_.push_back(std::move(text));
  }
  return fitted;
}

int64_t Preprocess::features() const {
  int64_t count = 0;
  for (const FittedColumn& c : columns_) count += c.features();
  return count;
}

std::vector<std::string> Preprocess::feature_names() const {
  std::vector<std::string> names;
  for (const FittedColumn& c : columns_) {
    if (c.categories.empty()) names.push_back(c.name);
    for (const std::string& category : c.categories) names.push_back(c.name + "=" + category);
  }
  return names;
}

absl::StatusOr<runtime::Tensor> Preprocess::Make(const Table& table, runtime::DType dtype,
                                                 bool raw) const {
  if (dtype != runtime::DType::kF32 && dtype != runtime::DType::kF64) {
    return absl::InvalidArgumentError(
        fmt::format("features are f32 or f64, got {}", runtime::DTypeName(dtype)));
  }
  auto out = runtime::Tensor::Create(dtype, {table.rows(), features()});
  if (!out.ok()) return out;
  size_t at = 0;
  for (const FittedColumn& fitted : columns_) {
    const Column* column = Find(table, fitted.name);
    if (column == nullptr) {
      std::string names;
      for (const std::string& name : table.names()) names += (names.empty() ? "" : ", ") + name;
      return absl::InvalidArgumentError(fmt::format(
          "the table has no column \"{}\" that training had; it has {}", fitted.name, names));
    }
    const auto width = static_cast<size_t>(features());
    if (dtype == runtime::DType::kF32) {
      Write<float>(fitted, *column, raw, at, width, out->data<float>());
    } else {
      Write<double>(fitted, *column, raw, at, width, out->data<double>());
    }
    at += static_cast<size_t>(fitted.features());
  }
  return out;
}

absl::StatusOr<runtime::Tensor> Preprocess::Apply(const Table& table, runtime::DType dtype) const {
  return Make(table, dtype, false);
}

absl::StatusOr<runtime::Tensor> Preprocess::ApplyRaw(const Table& table,
                                                     runtime::DType dtype) const {
  return Make(table, dtype, true);
}

absl::StatusOr<Table> OneHot(const Table& table, std::string_view name) {
  const auto text = table.Text(name);
  if (!text.ok()) return text.status();
  const std::vector<std::string> categories =
      CategoriesOf(**text, static_cast<size_t>((*text)->size()));
  std::vector<Column> columns;
  for (const Column& column : table.columns()) {
    if (column.name != name) {
      columns.push_back(column);
      continue;
    }
    for (const std::string& category : categories) {
      std::vector<double> cells;
      for (int64_t row = 0; row < table.rows(); ++row) {
        cells.push_back((**text)[row] == category ? 1 : 0);
      }
      columns.push_back({column.name + "=" + category, std::move(cells)});
    }
  }
  return Table::Create(std::move(columns));
}

}  // namespace gradus::data
