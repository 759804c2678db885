#include "frontend/training/scores.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "frontend/trainer.h"

namespace gradus {
namespace {

template <typename T>
std::vector<double> Copy(const runtime::Tensor& t) {
  const auto values = t.data<T>();
  return {values.begin(), values.end()};
}

std::vector<double> ToDoubles(const runtime::Tensor& t) {
  switch (t.dtype()) {
    case runtime::DType::kF32: return Copy<float>(t);
    case runtime::DType::kF64: return Copy<double>(t);
    case runtime::DType::kI32: return Copy<int32_t>(t);
    case runtime::DType::kI64: return Copy<int64_t>(t);
    case runtime::DType::kI1: return Copy<uint8_t>(t);
  }
  return {};
}

bool OnlyZerosAndOnes(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double v) { return v == 0 || v == 1; });
}

// The class numbers that targets stand for; nothing if they name no classes.
std::optional<std::vector<double>> Labels(const runtime::Tensor& target, int64_t samples,
                                          int64_t classes) {
  const int64_t a_sample = target.num_elements() / samples;
  std::vector<double> values = ToDoubles(target);
  if (a_sample == 1) {
    const double limit = static_cast<double>(std::max<int64_t>(classes, 2));
    const bool numbers = std::ranges::all_of(values, [&](double v) {
      return v >= 0 && v < limit && v == static_cast<double>(static_cast<int64_t>(v));
    });
    return numbers ? std::optional(std::move(values)) : std::nullopt;
  }
  if (a_sample != classes || !OnlyZerosAndOnes(values)) return std::nullopt;
  std::vector<double> labels;
  for (auto row = values.begin(); row != values.end(); row += classes) {
    const auto hot = std::find(row, row + classes, 1.0);
    if (hot == row + classes || std::find(hot + 1, row + classes, 1.0) != row + classes) {
      return std::nullopt;
    }
    labels.push_back(static_cast<double>(hot - row));
  }
  return labels;
}

}  // namespace

absl::Status RecordScores(Trainer& trainer, const data::Dataset& data, std::string_view part,
                          History& history) {
  const std::vector<std::string>& names = trainer.output_names();
  // Predicting costs a pass over the data: only where an output may be recorded.
  bool any = false;
  for (size_t i = 0; i < names.size() && i < data.targets().size(); ++i) {
    any = any || (trainer.forward_info().results[i].rank <= 2 &&
                  data.targets()[i].tensor.num_elements() <= kMaxRecordedScores);
  }
  if (!any) return absl::OkStatus();
  auto outputs = trainer.Predict(data);
  if (!outputs.ok()) return outputs.status();
  for (size_t i = 0; i < outputs->size() && i < data.targets().size(); ++i) {
    const runtime::Tensor& scores = (*outputs)[i];
    const int64_t samples = data.samples();
    const int64_t classes = scores.num_elements() / samples;
    if (scores.rank() > 2 || classes < 1 || scores.num_elements() > kMaxRecordedScores) continue;
    auto labels = Labels(data.targets()[i].tensor, samples, classes);
    if (!labels) continue;
    history.scores.push_back(
        {std::string(part), names[i], classes, *std::move(labels), ToDoubles(scores)});
  }
  return absl::OkStatus();
}

}  // namespace gradus
