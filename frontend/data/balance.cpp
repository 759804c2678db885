#include "frontend/data/balance.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "fmt/format.h"
#include "frontend/data/philox.h"

namespace gradus::data {
namespace {

using Classes = std::map<double, std::vector<int64_t>>;

absl::StatusOr<Classes> RowsOfClasses(std::span<const double> labels) {
  if (labels.empty()) return absl::InvalidArgumentError("there are no labels to balance");
  Classes classes;
  for (size_t row = 0; row < labels.size(); ++row) {
    if (std::isnan(labels[row])) {
      return absl::InvalidArgumentError(
          fmt::format("row {} has no label; drop it before balancing", row));
    }
    classes[labels[row]].push_back(static_cast<int64_t>(row));
  }
  return classes;
}

}  // namespace

absl::StatusOr<std::vector<std::pair<double, double>>> ClassWeights(
    std::span<const double> labels) {
  const auto classes = RowsOfClasses(labels);
  if (!classes.ok()) return classes.status();
  std::vector<std::pair<double, double>> weights;
  const double a_class = static_cast<double>(labels.size()) / static_cast<double>(classes->size());
  for (const auto& [label, rows] : *classes) {
    weights.emplace_back(label, a_class / static_cast<double>(rows.size()));
  }
  return weights;
}

absl::StatusOr<runtime::Tensor> SampleWeights(std::span<const double> labels) {
  const auto weights = ClassWeights(labels);
  if (!weights.ok()) return weights.status();
  const std::map<double, double> by_label(weights->begin(), weights->end());
  std::vector<float> samples;
  for (const double label : labels) samples.push_back(static_cast<float>(by_label.at(label)));
  return runtime::Tensor::FromVector<float>({static_cast<int64_t>(samples.size())}, samples);
}

absl::StatusOr<std::vector<int64_t>> Oversample(std::span<const double> labels, uint64_t seed) {
  const auto classes = RowsOfClasses(labels);
  if (!classes.ok()) return classes.status();
  size_t most = 0;
  for (const auto& [label, rows] : *classes) most = std::max(most, rows.size());
  PhiloxStream random(seed);
  std::vector<int64_t> all;
  for (const auto& [label, rows] : *classes) {
    // Every row as often as it goes evenly, then some once more: no row is left out by chance.
    for (size_t copies = most / rows.size(); copies > 0; --copies) {
      all.insert(all.end(), rows.begin(), rows.end());
    }
    std::vector<int64_t> shuffled = rows;
    Shuffle(shuffled, random);
    all.insert(all.end(), shuffled.begin(),
               shuffled.begin() + static_cast<std::ptrdiff_t>(most % rows.size()));
  }
  Shuffle(all, random);
  return all;
}

absl::StatusOr<std::vector<int64_t>> Undersample(std::span<const double> labels, uint64_t seed) {
  const auto classes = RowsOfClasses(labels);
  if (!classes.ok()) return classes.status();
  size_t fewest = labels.size();
  for (const auto& [label, rows] : *classes) fewest = std::min(fewest, rows.size());
  PhiloxStream random(seed);
  std::vector<int64_t> all;
  for (const auto& [label, rows] : *classes) {
    std::vector<int64_t> shuffled = rows;
    Shuffle(shuffled, random);
    all.insert(all.end(), shuffled.begin(), shuffled.begin() + static_cast<std::ptrdiff_t>(fewest));
  }
  Shuffle(all, random);
  return all;
}

}  // namespace gradus::data
