#include "frontend/optimizers.h"

#include <cmath>

namespace gradus {
namespace {

// 1 - beta^t without cancellation: -expm1(t log(beta)), with the logarithm taken in double.
Tensor BiasCorrection(Tensor step, double beta) {
  if (beta == 0) return scalar_like(step, 1.0);
  return -expm1(step * std::log(beta));
}

}  // namespace

Update SGD::Apply(const UpdateContext& c) const {
  return {c.parameter - c.learning_rate * c.gradient, {}};
}

Update Adam::Apply(const UpdateContext& c) const {
  const AdamOptions& o = options;
  const Tensor g = c.gradient;
  const Tensor m = c.state[0] * o.beta1 + g * (1 - o.beta1);
  const Tensor v = c.state[1] * o.beta2 + g * g * (1 - o.beta2);
  const Tensor correction1 = BiasCorrection(c.step, o.beta1);
  const Tensor correction2 = BiasCorrection(c.step, o.beta2);
  if (o.epsilon_form == AdamEpsilon::kKeras) {
    const Tensor rate = c.learning_rate * sqrt(correction2) / correction1;
    return {c.parameter - rate * m / (sqrt(v) + o.epsilon), {m, v}};
  }
  // The corrections are scalars: one multiplication an element instead of a division.
  const Tensor rate = c.learning_rate / correction1;
  const Tensor root_scale = 1.0 / sqrt(correction2);
  return {c.parameter - rate * m / (sqrt(v) * root_scale + o.epsilon), {m, v}};
}

}  // namespace gradus
