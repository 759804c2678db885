#include "frontend/schedules.h"

#include <cmath>
#include <numbers>
#include <utility>

namespace gradus {

Schedule operator*(Schedule a, Schedule b) {
  if (!a) return b;
  if (!b) return a;
  return Schedule([a = std::move(a), b = std::move(b)](Tensor t) { return a(t) * b(t); });
}

Schedule ConstantRate(double factor) {
  return Schedule([factor](Tensor t) { return scalar_like(t, factor); });
}

Schedule StepDecay(int64_t every, double factor) {
  const auto n = static_cast<double>(every);
  return Schedule([n, factor](Tensor t) { return exp(floor(t / n) * std::log(factor)); });
}

Schedule ExponentialDecay(int64_t every, double factor) {
  const double rate = std::log(factor) / static_cast<double>(every);
  return Schedule([rate](Tensor t) { return exp(t * rate); });
}

Schedule CosineDecay(int64_t updates, double last) {
  const auto n = static_cast<double>(updates);
  return Schedule([n, last](Tensor t) {
    const Tensor angle = minimum(t, n) * (std::numbers::pi / n);
    return (cos(angle) + 1) * ((1 - last) / 2) + last;
  });
}

Schedule Warmup(int64_t updates) {
  const auto n = static_cast<double>(updates);
  return Schedule([n](Tensor t) { return minimum((t + 1) / n, 1); });
}

Schedule After(int64_t updates, Schedule then) {
  const auto n = static_cast<double>(updates);
  return Schedule([n, then = std::move(then)](Tensor t) { return then(maximum(t - n, 0)); });
}

}  // namespace gradus
