#include "frontend/normalization.h"

#include "fmt/format.h"

namespace gradus {

BatchNorm::BatchNorm(Model& model, std::string name, Options options)
    : Layer(model, std::move(name), "batch_norm"), options_(options) {}

Tensor BatchNorm::Call(Operand x) {
  const Shape& shape = x.value().shape();
  const int64_t axis = options_.axis < 0 ? options_.axis + shape.rank() : options_.axis;
  if (shape.rank() < 2 || axis < 0 || axis >= shape.rank() ||
      shape[static_cast<int>(axis)].is_symbol()) {
    return Fail(x,
                fmt::format("normalises axis {} of [batch, ...], of fixed size, got {}",
                            options_.axis, ir::ToString(x.value().type())),
                "the channels have parameters of their own, so their number must be known");
  }
  const Shape channels = {shape[static_cast<int>(axis)]};
  Axes others;
  for (int64_t i = 0; i < shape.rank(); ++i) {
    if (i != axis) others.push_back(i);
  }
  const auto spread = [&](Tensor of_channels) { return broadcast(of_channels, shape, {axis}); };
  const Tensor moving_mean = State("moving_mean", channels, Zeros());
  const Tensor moving_variance = State("moving_variance", channels, Ones());
  const Tensor mean = reduce_mean(x, others);
  const Tensor variance = reduce_mean(square(sub(x, spread(mean))), others);

  Tensor seen = variance;
  if (options_.unbiased_moving_variance) {
    const Tensor n = count(x, others);
    seen = seen * (n / maximum(n - 1, 1));
  }
  const auto move = [&](Tensor state, Tensor to) {
    UpdateState(state, LatestState(state) * options_.momentum + to * (1 - options_.momentum));
  };
  move(moving_mean, mean);
  move(moving_variance, seen);

  // gamma / sqrt(variance + epsilon) and what is added are computed a channel, not an element.
  const Tensor m = by_phase(mean, moving_mean);
  Tensor factor = rsqrt(by_phase(variance, moving_variance) + options_.epsilon);
  if (options_.scale) factor = factor * Parameter("gamma", channels, Ones());
  Tensor y = mul(sub(x, spread(m)), spread(factor));
  if (options_.center) y = y + spread(Parameter("beta", channels, Zeros()));
  return y;
}

}  // namespace gradus
