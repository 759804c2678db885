#include "frontend/optimizers.h"

#include <cmath>

namespace gradus {
namespace {

// 1 - beta^t without cancellation: -expm1(t log(beta)), with the logarithm taken in double.
Tensor BiasCorrection(Tensor step, double beta) {
  if (beta == 0) return scalar_like(step, 1.0);
  return -expm1(step * std::log(beta));
}

Tensor Average(Tensor old, Tensor now, double beta) { return old * beta + now * (1 - beta); }

// Scales the parameter by what decoupled weight decay leaves of it; common to all parameters.
Tensor Kept(Tensor learning_rate, double weight_decay) { return 1 - learning_rate * weight_decay; }

// Adam's scalars: the rate and, in the usual form, what multiplies sqrt(v) (one multiplication an
// element instead of a division).
template <typename Options>
std::vector<Tensor> AdamScalars(const Options& o, Tensor learning_rate, Tensor step) {
  const Tensor correction1 = BiasCorrection(step, o.beta1);
  const Tensor correction2 = BiasCorrection(step, o.beta2);
  if (o.epsilon_form == AdamEpsilon::kKeras) {
    return {learning_rate * sqrt(correction2) / correction1};
  }
  return {learning_rate / correction1, 1.0 / sqrt(correction2)};
}

template <typename Options>
std::vector<Slot> AdamSlots(const Options& o) {
  if (o.amsgrad) return {{"m"}, {"v"}, {"vmax"}};
  return {{"m"}, {"v"}};
}

// Adam's update of `parameter`, which AdamW has decayed already.
template <typename Options>
Update AdamUpdate(const Options& o, const UpdateContext& c, Tensor parameter) {
  const Tensor g = c.gradient;
  const Tensor m = Average(c.state[0], g, o.beta1);
  const Tensor v = Average(c.state[1], g * g, o.beta2);
  Update update{{}, {m, v}};
  Tensor root = sqrt(v);
  if (o.amsgrad) {
    const Tensor largest = maximum(c.state[2], v);
    update.state.push_back(largest);
    root = sqrt(largest);
  }
  if (o.epsilon_form == AdamEpsilon::kUsual) root = root * c.common[1];
  update.parameter = parameter - c.common[0] * m / (root + o.epsilon);
  return update;
}

}  // namespace

std::vector<Tensor> Optimizer::Prepare(Tensor /*learning_rate*/, Tensor /*step*/) const {
  return {};
}

std::vector<Slot> SGD::slots() const {
  if (options.momentum == 0) return {};
  return {{"v"}};
}

Update SGD::Apply(const UpdateContext& c) const {
  if (options.momentum == 0) return {c.parameter - c.learning_rate * c.gradient, {}};
  const Tensor v = c.state[0] * options.momentum + c.gradient;
  const Tensor direction = options.nesterov ? c.gradient + v * options.momentum : v;
  return {c.parameter - c.learning_rate * direction, {v}};
}

Update Adagrad::Apply(const UpdateContext& c) const {
  const Tensor a = c.state[0] + c.gradient * c.gradient;
  return {c.parameter - c.learning_rate * c.gradient / (sqrt(a) + options.epsilon), {a}};
}

std::vector<Slot> RMSprop::slots() const {
  std::vector<Slot> slots = {{"v"}};
  if (options.centered) slots.push_back({"m"});
  if (options.momentum != 0) slots.push_back({"u"});
  return slots;
}

Update RMSprop::Apply(const UpdateContext& c) const {
  const Tensor g = c.gradient;
  const Tensor v = Average(c.state[0], g * g, options.rho);
  Update update{{}, {v}};
  Tensor power = v;
  if (options.centered) {
    const Tensor m = Average(c.state[1], g, options.rho);
    update.state.push_back(m);
    power = maximum(v - m * m, 0);
  }
  Tensor direction = g / (sqrt(power) + options.epsilon);
  if (options.momentum != 0) {
    direction = c.state.back() * options.momentum + direction;
    update.state.push_back(direction);
  }
  update.parameter = c.parameter - c.learning_rate * direction;
  return update;
}

std::vector<Slot> Adam::slots() const { return AdamSlots(options); }

std::vector<Tensor> Adam::Prepare(Tensor learning_rate, Tensor step) const {
  return AdamScalars(options, learning_rate, step);
}

Update Adam::Apply(const UpdateContext& c) const { return AdamUpdate(options, c, c.parameter); }

std::vector<Slot> AdamW::slots() const { return AdamSlots(options); }

std::vector<Tensor> AdamW::Prepare(Tensor learning_rate, Tensor step) const {
  std::vector<Tensor> common = AdamScalars(options, learning_rate, step);
  common.push_back(Kept(learning_rate, options.weight_decay));
  return common;
}

Update AdamW::Apply(const UpdateContext& c) const {
  return AdamUpdate(options, c, c.parameter * c.common.back());
}

std::vector<Tensor> Lion::Prepare(Tensor learning_rate, Tensor /*step*/) const {
  return {Kept(learning_rate, options.weight_decay)};
}

Update Lion::Apply(const UpdateContext& c) const {
  const Tensor m = c.state[0];
  const Tensor direction = sign(Average(m, c.gradient, options.beta1));
  const Tensor decayed = options.weight_decay == 0 ? c.parameter : c.parameter * c.common[0];
  return {decayed - c.learning_rate * direction, {Average(m, c.gradient, options.beta2)}};
}

}  // namespace gradus
