// What is learned from the training table and then done to every table in the same way: which
// columns there are, what stands for missing numbers, scales, the categories of text. It goes with
// the model: as JSON of its own, in the metadata of weights and checkpoints
// (Trainer::SetMetadata), or as a part of the graph (frontend/preprocess_layer.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "frontend/data/table.h"
#include "runtime/tensor.h"

namespace gradus::data {

enum class FillWith { kValue, kMean, kMedian };
enum class ScaleTo { kAsIs, kStandard, kUnitRange };  // mean 0 and deviation 1; [0, 1]

struct PreprocessOptions {
  FillWith fill = FillWith::kValue;
  double fill_value = 0;  // with kValue
  ScaleTo scale = ScaleTo::kStandard;
  // Text columns: each becomes one column a category, 1 where it is the cell's and 0 elsewhere
  // (one-hot). A column with more categories than this is an error: it is a name, not a category.
  int64_t max_categories = 64;
};

// One column of the table that came in.
struct FittedColumn {
  std::string name;
  // Numbers: (fill if missing, else cell) -> (x - offset) / scale. Text in such a column is
  // missing.
  double fill = 0, offset = 0, scale = 1;
  // Text: in order of their bytes; empty for numbers.
  std::vector<std::string> categories;

  int64_t features() const {
    return categories.empty() ? 1 : static_cast<int64_t>(categories.size());
  }
};

class Preprocess {
 public:
  // Statistics are those of the numbers that are there, taken after filling for the scale. Errors:
  // no rows, a column without a number where mean or median is to fill, too many categories.
  static absl::StatusOr<Preprocess> Fit(const Table& training,
                                        const PreprocessOptions& options = {});

  std::span<const FittedColumn> columns() const { return columns_; }
  // "age", "colour=red", ...: what the features mean, in order.
  std::vector<std::string> feature_names() const;
  int64_t features() const;

  // [rows, features] of f32 or f64. The table may have more columns, in any order; one that is
  // missing is an error that names it. A category that training did not have is all zeros.
  absl::StatusOr<runtime::Tensor> Apply(const Table& table,
                                        runtime::DType dtype = runtime::DType::kF32) const;
  // The same features before filling and scaling: NaN where a number is missing. For models that
  // do these in their graph.
  absl::StatusOr<runtime::Tensor> ApplyRaw(const Table& table,
                                           runtime::DType dtype = runtime::DType::kF32) const;

  // {"schema": "gradus-preprocess", "version": 1, "columns": [{"name", "fill", "offset", "scale"}
  // or {"name", "categories": [...]}]}. Reads back exactly; errors name the file and the field.
  std::string ToJson() const;
  static absl::StatusOr<Preprocess> ParseJson(std::string_view text,
                                              std::string_view name = "preprocess");
  absl::Status WriteJson(std::string_view path) const;
  static absl::StatusOr<Preprocess> ReadJson(std::string_view path);

 private:
  absl::StatusOr<runtime::Tensor> Make(const Table& table, runtime::DType dtype, bool raw) const;

  std::vector<FittedColumn> columns_;
};

// One column a category, "name=category", in place of a text column, in order of the bytes of the
// categories. kNotFound, or kInvalidArgument for a column of numbers.
absl::StatusOr<Table> OneHot(const Table& table, std::string_view name);

}  // namespace gradus::data
