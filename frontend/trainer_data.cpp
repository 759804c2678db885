// Trainer: whether data are what a model takes.

#include "frontend/trainer.h"

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace gradus {

absl::Status Trainer::CheckData(const data::Dataset& data, bool with_targets) const {
  auto check = [&](std::string_view what, size_t expected, std::span<const data::NamedTensor> got) {
    if (got.size() == expected) return absl::OkStatus();
    std::string names;
    for (const data::NamedTensor& g : got) names += (names.empty() ? "" : ", ") + g.name;
    return absl::InvalidArgumentError(
        fmt::format("model {} has {} {}{}, the data has {} ({})", model_name_, expected, what,
                    expected == 1 ? "" : "s", got.size(), names.empty() ? "none" : names));
  };
  if (data.samples() == 0) return absl::InvalidArgumentError("the data has no samples");
  if (absl::Status s = check("input", input_names_.size(), data.inputs()); !s.ok()) return s;
  const gradus_entry_info& info = evaluate_->executable().info();
  for (size_t i = 0; i < input_names_.size(); ++i) {
    if (absl::Status s = CheckArray(info, i, "input", data.inputs()[i]); !s.ok()) return s;
  }
  if (!with_targets) return absl::OkStatus();
  // Data without sample weights counts every sample 1.
  const bool weights = sample_weights_ && data.targets().size() == output_names_.size() + 1;
  const size_t targets = output_names_.size() + (weights ? 1 : 0);
  if (absl::Status s = check("target", targets, data.targets()); !s.ok()) return s;
  for (size_t i = 0; i < targets; ++i) {
    const size_t argument = input_names_.size() + i;
    if (absl::Status s = CheckArray(info, argument, "target", data.targets()[i]); !s.ok()) return s;
  }
  return absl::OkStatus();
}

// Whether an array of samples is what an argument takes; a symbol takes any size.
absl::Status Trainer::CheckArray(const gradus_entry_info& entry, size_t argument,
                                 std::string_view what, const data::NamedTensor& array) const {
  const gradus_tensor_info& info = entry.arguments[argument];
  const auto dtype = static_cast<runtime::DType>(info.dtype);
  const std::vector<int64_t>& shape = array.tensor.shape();
  bool fits = shape.size() == static_cast<size_t>(info.rank);
  std::string expected;
  for (int32_t axis = 0; axis < info.rank; ++axis) {
    const gradus_dim& d = info.dims[axis];
    expected += axis > 0 ? ", " : "";
    expected += d.symbol >= 0 ? std::string(entry.symbols[d.symbol]) : fmt::format("{}", d.size);
    fits = fits && (d.symbol >= 0 || d.size == shape[static_cast<size_t>(axis)]);
  }
  if (fits && dtype == array.tensor.dtype()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("model {}: {} {} takes {}[{}], but the data's \"{}\" is {}[{}]\n  help: {}",
                  model_name_, what, info.name, runtime::DTypeName(dtype), expected, array.name,
                  runtime::DTypeName(array.tensor.dtype()), fmt::join(shape, ", "),
                  fits ? fmt::format("make it of {}, for example with Tensor::FromVector",
                                     runtime::DTypeName(dtype))
                       : "the first axis counts samples; all others must agree with the model"));
}

}  // namespace gradus
