#pragma once

// A case of reference numbers: a folder with case.json and .npy files.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tensor.h"

namespace gradus::refs {

struct RefTensor {
  std::string name, role;
  double atol = 0, rtol = 0;
  runtime::Tensor values;                // or, with `probe`, the sampled ones
  std::optional<runtime::Tensor> probe;  // flat indices (i64) of the values
  std::optional<runtime::Tensor> mask;   // i1: true = compare
};

struct RefOptimizer {
  std::string kind;  // "sgd", "adam", ..., "none"
  std::map<std::string, double> numbers;
  std::vector<std::string> flags;  // names of those that are true
};

struct RefCase {
  std::string name, group;
  std::string text;  // all of "desc", for the attributes that stand only there
  RefOptimizer optimizer;
  int64_t steps = 0;
  std::vector<RefTensor> tensors;

  const RefTensor* Find(std::string_view tensor) const;
};

absl::StatusOr<RefCase> ReadCase(const std::string& folder);
// Names of the folders with a case.json in `directory`, sorted.
absl::StatusOr<std::vector<std::string>> ListCases(const std::string& directory);

// The number that follows `marker` in a text, as in "slope 0.2"; nullopt if there is none.
std::optional<double> NumberAfter(std::string_view text, std::string_view marker);

}  // namespace gradus::refs
