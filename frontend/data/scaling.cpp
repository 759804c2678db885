#include "frontend/data/scaling.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "fmt/format.h"

namespace gradus::data {
namespace {

struct Fit {
  double offset = 0;
  double scale = 1;
};
using FitFunction = Fit (*)(std::span<const double>);

// The two-pass formula: deviations stay exact where the numbers are large and alike.
Fit FitDeviation(std::span<const double> numbers) {
  const auto count = static_cast<double>(numbers.size());
  double sum = 0;
  for (double x : numbers) sum += x;
  const double mean = sum / count;
  double squares = 0;
  for (double x : numbers) squares += (x - mean) * (x - mean);
  return {mean, std::sqrt(squares / count)};
}

Fit FitRange(std::span<const double> numbers) {
  const auto [low, high] = std::ranges::minmax(numbers);
  return {low, high - low};
}

absl::StatusOr<std::vector<ColumnScale>> FitColumns(const Table& training, FitFunction fit) {
  std::vector<ColumnScale> columns;
  for (const std::string& name : training.names()) {
    absl::StatusOr<std::span<const double>> numbers = training.Numbers(name);
    if (!numbers.ok()) return numbers.status();
    std::vector<double> present;
    std::ranges::copy_if(*numbers, std::back_inserter(present),
                         [](double x) { return !std::isnan(x); });
    if (present.empty()) {
      return absl::InvalidArgumentError(
          fmt::format("column \"{}\" has no number in the training part; fill or drop it", name));
    }
    const auto [low, high] = std::ranges::minmax(present);
    // A constant column is known by its ends: the mean of equal numbers may be rounded.
    const Fit fitted = low == high ? Fit{low, 1} : fit(present);
    if (!std::isfinite(fitted.offset) || !std::isfinite(fitted.scale) || fitted.scale == 0) {
      return absl::InvalidArgumentError(
          fmt::format("column \"{}\" lies between {} and {}, a span too wide or too narrow to "
                      "scale in double",
                      name, low, high));
    }
    columns.push_back({name, fitted.offset, fitted.scale});
  }
  return columns;
}

}  // namespace

absl::StatusOr<Scaler> Scaler::FitStandard(const Table& training) {
  auto columns = FitColumns(training, FitDeviation);
  if (!columns.ok()) return columns.status();
  return Scaler(*std::move(columns));
}

absl::StatusOr<Scaler> Scaler::FitMinMax(const Table& training) {
  auto columns = FitColumns(training, FitRange);
  if (!columns.ok()) return columns.status();
  return Scaler(*std::move(columns));
}

absl::StatusOr<Table> Scaler::Apply(const Table& table) const {
  if (table.columns().size() != columns_.size()) {
    return absl::InvalidArgumentError(
        fmt::format("the scale was learned from {} columns, and the table has {}", columns_.size(),
                    table.columns().size()));
  }
  std::vector<Column> scaled;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const auto& [name, offset, scale] = columns_[i];
    if (table.columns()[i].name != name) {
      return absl::InvalidArgumentError(
          fmt::format("the scale was learned from column \"{}\" where the table has \"{}\"", name,
                      table.columns()[i].name));
    }
    absl::StatusOr<std::span<const double>> numbers = table.Numbers(name);
    if (!numbers.ok()) return numbers.status();
    std::vector<double> cells(numbers->begin(), numbers->end());
    for (double& cell : cells) cell = (cell - offset) / scale;
    scaled.push_back({name, std::move(cells)});
  }
  return Table::Create(std::move(scaled));
}

}  // namespace gradus::data
