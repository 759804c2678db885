#include "frontend/normalization.h"

#include <algorithm>

#include "fmt/format.h"
#include "ir/ops/custom_gradient.h"

namespace gradus {
namespace {

// The axis of [batch, time, ...] that is `axis` of [batch, ...].
int64_t OfSteps(int64_t axis) { return axis > 0 ? axis + 1 : axis; }

int64_t NormalAxis(int64_t axis, int rank) { return axis < 0 ? axis + rank : axis; }

Axes AllBut(int64_t axis, int rank) {
  Axes others;
  for (int64_t i = 0; i < rank; ++i) {
    if (i != axis) others.push_back(i);
  }
  return others;
}

bool HasFixed(const Shape& shape, int64_t axis) {
  return axis >= 0 && axis < shape.rank() && !shape[static_cast<int>(axis)].is_symbol();
}

}  // namespace

Tensor standardize_groups(Operand x, int64_t groups, int64_t axis, double epsilon) {
  const Tensor v = x.value();
  if (!v || v.is_poison()) return v;
  const int64_t channels = NormalAxis(axis, v.rank());
  const bool known = channels > 0 && HasFixed(v.shape(), channels);
  const int64_t size = known ? v.shape()[static_cast<int>(channels)].size() : 0;
  if (!known || groups < 1 || size % groups != 0) {
    v.function().ReportError(
        {.location = x.location(),
         .message = fmt::format("standardize_groups: axis {} of {} is not {} groups", axis,
                                ir::ToString(v.type()), groups),
         .help = "the number of channels, after the batch, must be a multiple of the groups"});
    return v.function().poison();
  }
  // [N, .., C, ..] as [N, .., groups, C / groups, ..].
  Shape cut;
  Axes over;
  for (int i = 0; i < v.rank(); ++i) {
    if (i == channels) {
      cut.push_back(groups);
      cut.push_back(size / groups);
      over.push_back(i + 1);
    } else {
      cut.push_back(v.shape()[i]);
      if (i > 0) over.push_back(i < channels ? i : i + 1);
    }
  }
  return reshape(standardize(reshape(x, cut), over, epsilon), v.shape());
}

Tensor normalize_channels(Operand x, int64_t axis, Tensor mean, Tensor variance, Tensor gamma,
                          Tensor beta, double epsilon) {
  const Tensor v = x.value();
  if (!v || v.is_poison()) return v;
  const int64_t channels = NormalAxis(axis, v.rank());
  const auto spread = [&](Tensor of_channels) {
    return broadcast(of_channels, v.shape(), {channels});
  };
  // What all elements of a channel share is computed once a channel.
  Tensor factor = rsqrt(variance + epsilon);
  if (gamma) factor = factor * gamma;
  Tensor y = sub(x, spread(mean)) * spread(factor);
  if (beta) y = y + spread(beta);
  return y;
}

BatchNorm::BatchNorm(Model& model, std::string name, Options options)
    : Layer(model, std::move(name), "batch_norm"), options_(options) {}

Tensor BatchNorm::CallOnSteps(Operand x) { return Apply(x, OfSteps(options_.axis)); }

Tensor BatchNorm::Apply(Operand x, int64_t given) {
  const Shape& shape = x.value().shape();
  const int64_t axis = NormalAxis(given, shape.rank());
  if (shape.rank() < 2 || !HasFixed(shape, axis)) {
    return Fail(x,
                fmt::format("normalises axis {} of [batch, ...], of fixed size, got {}", given,
                            ir::ToString(x.value().type())),
                "the channels have parameters of their own, so their number must be known");
  }
  const Shape channels = {shape[static_cast<int>(axis)]};
  const Axes others = AllBut(axis, shape.rank());
  const Tensor moving_mean = State("moving_mean", channels, Zeros());
  const Tensor moving_variance = State("moving_variance", channels, Ones());
  const auto spread = [&](Tensor of_channels) { return broadcast(of_channels, shape, {axis}); };
  const Tensor mean = reduce_mean(x, others);
  const Tensor deviation = sub(x, spread(mean));
  const Tensor variance = reduce_mean(square(deviation), others);

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
  const Tensor gamma = options_.scale ? Parameter("gamma", channels, Ones()) : Tensor();
  const Tensor beta = options_.center ? Parameter("beta", channels, Zeros()) : Tensor();
  // In training, whose gradient goes through the mean and the variance, too.
  const Tensor scale = spread(rsqrt(variance + options_.epsilon));
  Tensor y = ir::as_standardized(deviation * scale, x, scale, others);
  if (gamma) y = y * spread(gamma);
  if (beta) y = y + spread(beta);
  return by_phase(
      y, normalize_channels(x, axis, moving_mean, moving_variance, gamma, beta, options_.epsilon));
}

LayerNorm::LayerNorm(Model& model, std::string name, Options options)
    : Layer(model, std::move(name), "layer_norm"), options_(std::move(options)) {}

Tensor LayerNorm::CallOnSteps(Operand x) {
  std::vector<int64_t> axes;
  for (const int64_t axis : options_.axes) axes.push_back(OfSteps(axis));
  return Apply(x, axes);
}

Tensor LayerNorm::Apply(Operand x, const std::vector<int64_t>& of) {
  const Shape& shape = x.value().shape();
  Axes axes;
  Shape sizes;
  bool good = !of.empty();
  for (const int64_t axis : of) axes.push_back(NormalAxis(axis, shape.rank()));
  std::sort(axes.begin(), axes.end());
  good = good && std::adjacent_find(axes.begin(), axes.end()) == axes.end();
  for (const int64_t axis : axes) {
    good = good && HasFixed(shape, axis);
    if (good) sizes.push_back(shape[static_cast<int>(axis)]);
  }
  if (!good) {
    return Fail(x,
                fmt::format("normalises axes [{}], of fixed size, got {}", fmt::join(of, ", "),
                            ir::ToString(x.value().type())),
                "gamma and beta have the sizes of these axes, which must be numbers");
  }
  Tensor y = standardize(x, axes, options_.epsilon);
  const auto spread = [&](Tensor v) { return broadcast(v, shape, axes); };
  if (options_.scale) y = y * spread(Parameter("gamma", sizes, Ones()));
  if (options_.center) y = y + spread(Parameter("beta", sizes, Zeros()));
  return y;
}

GroupNorm::GroupNorm(Model& model, std::string name, int64_t groups, Options options)
    : Layer(model, std::move(name), "group_norm"), groups_(groups), options_(options) {}

Tensor GroupNorm::Call(Operand x) {
  const Shape& shape = x.value().shape();
  const int64_t axis = NormalAxis(options_.axis, shape.rank());
  Tensor y = standardize_groups(x, groups_, axis, options_.epsilon);
  if (y.is_poison()) return y;
  const Shape channels = {shape[static_cast<int>(axis)]};
  const auto spread = [&](Tensor v) { return broadcast(v, shape, {axis}); };
  if (options_.scale) y = y * spread(Parameter("gamma", channels, Ones()));
  if (options_.center) y = y + spread(Parameter("beta", channels, Zeros()));
  return y;
}

}  // namespace gradus
