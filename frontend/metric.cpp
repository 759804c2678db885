#include "frontend/metric.h"

#include "fmt/format.h"

namespace gradus {

std::string Metric::full_name() const {
  std::string text(name);
  if (const size_t at = text.find("{}"); at != std::string::npos) {
    std::string shown = fmt::format("{}", number);
    for (char& c : shown) c = c == '.' || c == '-' || c == '+' ? '_' : c;
    text.replace(at, 2, shown);
  }
  return text;
}

std::vector<MetricSum> MeanSums(const MetricInput& in, Tensor values) {
  if (!values || values.is_poison()) return {{"total", values}, {"count", values}};
  if (!in.weight) return {{"total", reduce_sum(values)}, {"count", count(values)}};
  const Tensor weight = SpreadOver(in.weight, values.shape());
  return {{"total", reduce_sum(values * weight)}, {"count", reduce_sum(weight)}};
}

double MeanOfSums(std::span<const double> sums) { return sums[1] == 0 ? 0 : sums[0] / sums[1]; }

}  // namespace gradus
