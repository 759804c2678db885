#include "frontend/clipping.h"

namespace gradus {
namespace {

constexpr double kNormMargin = 1e-6;  // a gradient of 0 divides by this

Tensor ScaleFor(Tensor sum_of_squares, double limit) {
  return minimum(limit / (sqrt(sum_of_squares) + kNormMargin), 1);
}

std::vector<Tensor> ByValue(std::span<const Tensor> gradients, double limit) {
  std::vector<Tensor> clipped;
  for (const Tensor g : gradients) clipped.push_back(clip(g, -limit, limit));
  return clipped;
}

std::vector<Tensor> ByNorm(std::span<const Tensor> gradients, double limit) {
  std::vector<Tensor> clipped;
  for (const Tensor g : gradients) clipped.push_back(g * ScaleFor(reduce_sum(g * g), limit));
  return clipped;
}

std::vector<Tensor> ByGlobalNorm(std::span<const Tensor> gradients, double limit) {
  Tensor sum;
  for (const Tensor g : gradients) {
    const Tensor own = reduce_sum(g * g);
    sum = sum ? sum + own : own;
  }
  if (!sum) return {};
  const Tensor scale = ScaleFor(sum, limit);
  std::vector<Tensor> clipped;
  for (const Tensor g : gradients) clipped.push_back(g * scale);
  return clipped;
}

}  // namespace

Clipping ClipByValue(double limit) { return {ByValue, limit}; }
Clipping ClipByNorm(double limit) { return {ByNorm, limit}; }
Clipping ClipByGlobalNorm(double limit) { return {ByGlobalNorm, limit}; }

}  // namespace gradus
