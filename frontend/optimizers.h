#pragma once

// The optimisers. In the formulas g is the gradient, p the parameter, t the number of the update
// from 1; products, quotients and roots are of each element.

#include <string>
#include <vector>

#include "frontend/optimizer.h"

namespace gradus {

// Stochastic gradient descent: p -= lr g. With momentum (Polyak 1964) v = momentum v + g and
//   p -= lr v,                    or
//   p -= lr (g + momentum v)      (Nesterov 1983, in the form of Sutskever et al. 2013).
// The velocity holds no rate, as in PyTorch; Keras' holds it, which is the same while the rate is
// constant.
struct SGDOptions {
  double learning_rate = 0.01, momentum = 0;
  bool nesterov = false;
};
struct SGD final : Optimizer {
  SGDOptions options;

  SGD() = default;
  explicit SGD(double learning_rate) : options{.learning_rate = learning_rate} {}
  explicit SGD(const SGDOptions& o) : options(o) {}
  std::string name() const override { return "sgd"; }
  double learning_rate() const override { return options.learning_rate; }
  std::vector<Slot> slots() const override;
  Update Apply(const UpdateContext& c) const override;
};

// Duchi, Hazan and Singer 2011: a += g^2, p -= lr g / (sqrt(a) + eps); a starts at
// initial_accumulator.
struct AdagradOptions {
  double learning_rate = 0.001, initial_accumulator = 0.1, epsilon = 1e-7;
};
struct Adagrad final : Optimizer {
  AdagradOptions options;

  Adagrad() = default;
  explicit Adagrad(const AdagradOptions& o) : options(o) {}
  std::string name() const override { return "adagrad"; }
  double learning_rate() const override { return options.learning_rate; }
  std::vector<Slot> slots() const override { return {{"a", options.initial_accumulator}}; }
  Update Apply(const UpdateContext& c) const override;
};

// Hinton 2012, lecture 6e: v = rho v + (1-rho) g^2, d = g / (sqrt(v) + eps), p -= lr d.
// Centred (Graves 2013): v - m^2 in place of v, where m = rho m + (1-rho) g; what rounding makes
// negative is 0. With momentum: u = momentum u + d, p -= lr u. Epsilon is outside of the root, as
// in PyTorch.
struct RMSpropOptions {
  double learning_rate = 0.001, rho = 0.9, momentum = 0, epsilon = 1e-7;
  bool centered = false;
};
struct RMSprop final : Optimizer {
  RMSpropOptions options;

  RMSprop() = default;
  explicit RMSprop(const RMSpropOptions& o) : options(o) {}
  std::string name() const override { return "rmsprop"; }
  double learning_rate() const override { return options.learning_rate; }
  std::vector<Slot> slots() const override;
  Update Apply(const UpdateContext& c) const override;
};

// Where Adam adds epsilon: to the corrected root of v (the paper), or, as in Keras, to the
// uncorrected one.
enum class AdamEpsilon { kUsual, kKeras };

// Kingma and Ba 2015: m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2,
//   usual  p -= lr * mhat / (sqrt(vhat) + eps), mhat = m / (1-b1^t), vhat = v / (1-b2^t);
//   Keras  p -= lr * sqrt(1-b2^t) / (1-b1^t) * m / (sqrt(v) + eps).
// AMSGrad (Reddi, Kale and Kumar 2018): the largest v so far takes v's place in the update, the
// corrections stay (as in PyTorch and Keras).
struct AdamOptions {
  double learning_rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7;
  AdamEpsilon epsilon_form = AdamEpsilon::kKeras;
  bool amsgrad = false;
};
struct Adam final : Optimizer {
  AdamOptions options;

  Adam() = default;
  explicit Adam(const AdamOptions& o) : options(o) {}
  std::string name() const override { return "adam"; }
  double learning_rate() const override { return options.learning_rate; }
  std::vector<Slot> slots() const override;
  std::vector<Tensor> Prepare(Tensor learning_rate, Tensor step) const override;
  Update Apply(const UpdateContext& c) const override;
};

// Loshchilov and Hutter 2019: p -= lr decay p, then Adam, whose moments do not see the decay.
struct AdamWOptions {
  double learning_rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, weight_decay = 0.004;
  AdamEpsilon epsilon_form = AdamEpsilon::kKeras;
  bool amsgrad = false;
};
struct AdamW final : Optimizer {
  AdamWOptions options;

  AdamW() = default;
  explicit AdamW(const AdamWOptions& o) : options(o) {}
  std::string name() const override { return "adamw"; }
  double learning_rate() const override { return options.learning_rate; }
  std::vector<Slot> slots() const override;
  std::vector<Tensor> Prepare(Tensor learning_rate, Tensor step) const override;
  Update Apply(const UpdateContext& c) const override;
};

// Chen et al. 2023: p -= lr (sign(b1 m + (1-b1) g) + decay p), then m = b2 m + (1-b2) g.
struct LionOptions {
  double learning_rate = 0.0001, beta1 = 0.9, beta2 = 0.99, weight_decay = 0;
};
struct Lion final : Optimizer {
  LionOptions options;

  Lion() = default;
  explicit Lion(const LionOptions& o) : options(o) {}
  std::string name() const override { return "lion"; }
  double learning_rate() const override { return options.learning_rate; }
  std::vector<Slot> slots() const override { return {{"m"}}; }
  std::vector<Tensor> Prepare(Tensor learning_rate, Tensor step) const override;
  Update Apply(const UpdateContext& c) const override;
};

}  // namespace gradus
