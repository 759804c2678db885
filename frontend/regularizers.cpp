#include "frontend/regularizers.h"

#include <algorithm>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace gradus {

bool Regularizer::AppliesTo(std::string_view parameter) const {
  if (!of.empty() && parameter == of) return true;
  const bool in_layer =
      of.empty() || (parameter.starts_with(of) && parameter.size() > of.size() &&
                     (parameter[of.size()] == '.' || parameter[of.size()] == '/'));
  return in_layer && parameter.ends_with("kernel");
}

Regularizer L1(double factor) { return {factor, 0, ""}; }
Regularizer L2(double factor) { return {0, factor, ""}; }
Regularizer L1L2(double l1, double l2) { return {l1, l2, ""}; }

Tensor Penalty(std::span<const Regularizer> regularizers, std::span<const Tensor> parameters) {
  Tensor sum;
  const auto add = [&](Tensor term) { sum = sum ? sum + term : term; };
  for (const Tensor p : parameters) {
    double l1 = 0, l2 = 0;
    for (const Regularizer& r : regularizers) {
      if (!r.AppliesTo(p.node()->name())) continue;
      l1 += r.l1;
      l2 += r.l2;
    }
    if (l1 != 0) add(reduce_sum(abs(p)) * l1);
    if (l2 != 0) add(reduce_sum(p * p) * l2);
  }
  return sum;
}

absl::Status CheckRegularizers(std::span<const Regularizer> regularizers,
                               std::span<const std::string> parameters) {
  for (const Regularizer& r : regularizers) {
    const bool used =
        std::ranges::any_of(parameters, [&](const std::string& name) { return r.AppliesTo(name); });
    if (used) continue;
    return absl::InvalidArgumentError(
        r.of.empty()
            ? std::string("a regularizer applies to all kernels, but no parameter's name ends in "
                          "\"kernel\"; name a parameter with For")
            : fmt::format("a regularizer is for {}, which is neither a parameter nor a layer with "
                          "a kernel; parameters are {}",
                          r.of, fmt::join(parameters, ", ")));
  }
  return absl::OkStatus();
}

}  // namespace gradus
