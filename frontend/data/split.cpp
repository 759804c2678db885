#include "frontend/data/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "fmt/format.h"
#include "frontend/data/philox.h"
#include "runtime/npy.h"

namespace gradus::data {
namespace {

// The rows of each class, classes in order of their label, rows in random order.
absl::StatusOr<std::vector<std::vector<int64_t>>> ShuffledClasses(std::span<const double> labels,
                                                                  PhiloxStream& random) {
  std::map<double, std::vector<int64_t>> classes;
  for (size_t row = 0; row < labels.size(); ++row) {
    if (std::isnan(labels[row])) {
      return absl::InvalidArgumentError(
          fmt::format("row {} has no label; drop it before splitting", row));
    }
    classes[labels[row]].push_back(static_cast<int64_t>(row));
  }
  std::vector<std::vector<int64_t>> result;
  for (auto& [label, rows] : classes) {
    if (rows.size() < 2) {
      return absl::InvalidArgumentError(
          fmt::format("class {} has one row; a stratified split needs two of each class", label));
    }
    Shuffle(rows, random);
    result.push_back(std::move(rows));
  }
  return result;
}

// How many rows of each class are tested, `wanted` together:
// 1. the share rounded down, but at least one, and not all;
// 2. what is still wanted goes to the classes that lost most by rounding, round after round;
// 3. what is too much is taken from those that lost least.
std::vector<int64_t> ShareOut(const std::vector<std::vector<int64_t>>& classes, double fraction,
                              int64_t wanted) {
  std::vector<int64_t> counts;
  std::vector<double> lost;
  for (const auto& rows : classes) {
    const auto size = static_cast<int64_t>(rows.size());
    const double share = fraction * static_cast<double>(size);
    counts.push_back(std::clamp<int64_t>(static_cast<int64_t>(share), 1, size - 1));
    lost.push_back(share - static_cast<double>(counts.back()));
  }
  std::vector<size_t> order(classes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return lost[a] > lost[b]; });
  int64_t missing = wanted - std::accumulate(counts.begin(), counts.end(), int64_t{0});
  while (missing > 0) {
    for (size_t c : order) {
      if (missing > 0 && counts[c] + 1 < static_cast<int64_t>(classes[c].size())) {
        ++counts[c];
        --missing;
      }
    }
  }
  while (missing < 0) {
    for (size_t i = order.size(); i-- > 0;) {
      if (missing < 0 && counts[order[i]] > 1) {
        --counts[order[i]];
        ++missing;
      }
    }
  }
  return counts;
}

absl::StatusOr<std::vector<int64_t>> ReadRows(std::string_view path) {
  absl::StatusOr<runtime::Tensor> tensor = runtime::ReadNpy(path);
  if (!tensor.ok()) return tensor.status();
  if (tensor->rank() != 1 ||
      (tensor->dtype() != runtime::DType::kI64 && tensor->dtype() != runtime::DType::kI32)) {
    return absl::InvalidArgumentError(
        fmt::format("{}: expected row numbers, integers with one axis, got {}", path,
                    runtime::FormatType(tensor->dtype(), tensor->shape())));
  }
  if (tensor->dtype() == runtime::DType::kI32) {
    const auto rows = tensor->data<int32_t>();
    return std::vector<int64_t>(rows.begin(), rows.end());
  }
  const auto rows = tensor->data<int64_t>();
  return std::vector<int64_t>(rows.begin(), rows.end());
}

}  // namespace

absl::StatusOr<Split> StratifiedSplit(std::span<const double> labels, double test_fraction,
                                      uint64_t seed) {
  if (!(test_fraction > 0 && test_fraction < 1)) {
    return absl::InvalidArgumentError(
        fmt::format("the test fraction must lie between 0 and 1, got {}", test_fraction));
  }
  PhiloxStream random(seed);
  auto classes = ShuffledClasses(labels, random);
  if (!classes.ok()) return classes.status();
  const auto rows = static_cast<int64_t>(labels.size());
  const auto tested = static_cast<int64_t>(std::ceil(test_fraction * static_cast<double>(rows)));
  const auto fewest = static_cast<int64_t>(classes->size());
  if (rows == 0 || tested < fewest || rows - tested < fewest) {
    return absl::InvalidArgumentError(
        fmt::format("a test fraction of {} makes parts of {} and {} rows; each must hold all {} "
                    "classes",
                    test_fraction, rows - tested, tested, fewest));
  }
  const std::vector<int64_t> counts = ShareOut(*classes, test_fraction, tested);
  Split split;
  for (size_t c = 0; c < classes->size(); ++c) {
    const auto middle = (*classes)[c].begin() + counts[c];
    split.test.insert(split.test.end(), (*classes)[c].begin(), middle);
    split.train.insert(split.train.end(), middle, (*classes)[c].end());
  }
  Shuffle(split.train, random);
  Shuffle(split.test, random);
  return split;
}

absl::StatusOr<std::vector<Split>> StratifiedFolds(std::span<const double> labels, int64_t folds,
                                                   uint64_t seed) {
  PhiloxStream random(seed);
  auto classes = ShuffledClasses(labels, random);
  if (!classes.ok()) return classes.status();
  auto smallest = static_cast<int64_t>(labels.size());
  for (const auto& rows : *classes)
    smallest = std::min(smallest, static_cast<int64_t>(rows.size()));
  if (folds < 2 || folds > smallest) {
    return absl::InvalidArgumentError(fmt::format(
        "expected 2 to {} folds (the rows of the smallest class), got {}", smallest, folds));
  }
  // Deals out the classes one after the other like cards, so that whole folds differ by one too.
  std::vector<Split> splits(static_cast<size_t>(folds));
  size_t next = 0;
  for (const auto& rows : *classes) {
    for (int64_t row : rows) {
      for (size_t fold = 0; fold < splits.size(); ++fold) {
        (fold == next ? splits[fold].test : splits[fold].train).push_back(row);
      }
      next = (next + 1) % splits.size();
    }
  }
  for (Split& split : splits) {
    Shuffle(split.train, random);
    Shuffle(split.test, random);
  }
  return splits;
}

absl::StatusOr<Split> RandomSplit(int64_t rows, double test_fraction, uint64_t seed) {
  if (!(test_fraction > 0 && test_fraction < 1)) {
    return absl::InvalidArgumentError(
        fmt::format("the test fraction must lie between 0 and 1, got {}", test_fraction));
  }
  if (rows < 2) {
    return absl::InvalidArgumentError(fmt::format("a split needs at least 2 rows, got {}", rows));
  }
  std::vector<int64_t> order(static_cast<size_t>(rows));
  std::iota(order.begin(), order.end(), int64_t{0});
  PhiloxStream random(seed);
  Shuffle(order, random);
  const auto wanted = static_cast<int64_t>(std::ceil(test_fraction * static_cast<double>(rows)));
  const auto middle = order.begin() + std::clamp<int64_t>(wanted, 1, rows - 1);
  return Split{{middle, order.end()}, {order.begin(), middle}};
}

absl::StatusOr<std::vector<Split>> RandomFolds(int64_t rows, int64_t folds, uint64_t seed) {
  if (folds < 2 || folds > rows) {
    return absl::InvalidArgumentError(
        fmt::format("expected 2 to {} folds (the rows), got {}", rows, folds));
  }
  std::vector<int64_t> order(static_cast<size_t>(rows));
  std::iota(order.begin(), order.end(), int64_t{0});
  PhiloxStream random(seed);
  Shuffle(order, random);
  std::vector<Split> splits(static_cast<size_t>(folds));
  for (size_t i = 0; i < order.size(); ++i) {
    for (size_t fold = 0; fold < splits.size(); ++fold) {
      (fold == i % splits.size() ? splits[fold].test : splits[fold].train).push_back(order[i]);
    }
  }
  return splits;
}

absl::StatusOr<Split> SplitByRows(Split split, int64_t rows) {
  enum : char { kFree, kTrain, kTest };
  std::vector<char> taken(static_cast<size_t>(std::max<int64_t>(rows, 0)), kFree);
  const auto take = [&](const std::vector<int64_t>& part, char mark,
                        std::string_view name) -> absl::Status {
    if (part.empty()) return absl::InvalidArgumentError(fmt::format("the {} part is empty", name));
    for (int64_t row : part) {
      if (row < 0 || row >= rows) {
        return absl::InvalidArgumentError(fmt::format(
            "{} row {} does not exist; the table has rows 0 to {}", name, row, rows - 1));
      }
      char& mine = taken[static_cast<size_t>(row)];
      if (mine == mark) {
        return absl::InvalidArgumentError(fmt::format("{} row {} is given twice", name, row));
      }
      if (mine != kFree) {
        return absl::InvalidArgumentError(
            fmt::format("row {} is in both the training and the test part", row));
      }
      mine = mark;
    }
    return absl::OkStatus();
  };
  if (absl::Status status = take(split.train, kTrain, "training"); !status.ok()) return status;
  if (absl::Status status = take(split.test, kTest, "test"); !status.ok()) return status;
  return split;
}

absl::StatusOr<Split> SplitFromNpy(std::string_view train_path, std::string_view test_path,
                                   int64_t rows) {
  auto train = ReadRows(train_path);
  if (!train.ok()) return train.status();
  auto test = ReadRows(test_path);
  if (!test.ok()) return test.status();
  absl::StatusOr<Split> split = SplitByRows({*std::move(train), *std::move(test)}, rows);
  if (!split.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("{}, {}: {}", train_path, test_path, std::string(split.status().message())));
  }
  return split;
}

}  // namespace gradus::data
