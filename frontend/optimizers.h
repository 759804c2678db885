#pragma once

// Optimisers: graph code that turns a parameter, its gradient and the optimiser's state into their
// new values. It is compiled into the training step; no parameter is walked on the host. The
// learning rate is an argument of the step, so that it can change without compiling again.

#include <string>
#include <vector>

#include "frontend/tensor.h"

namespace gradus {

struct UpdateContext {
  Tensor parameter, gradient;
  std::vector<Tensor> state;  // as many as slots, of the parameter's type
  Tensor learning_rate;       // scalar of the parameter's dtype
  Tensor step;                // scalar of the parameter's dtype: 1 at the first update
};
struct Update {
  Tensor parameter;
  std::vector<Tensor> state;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  virtual std::string name() const = 0;
  virtual double learning_rate() const = 0;
  // Names of the state tensors of each parameter ("m", "v"); they start at zero.
  virtual std::vector<std::string> slots() const = 0;
  virtual Update Apply(const UpdateContext& c) const = 0;
};

// p -= lr * g.
struct SGD final : Optimizer {
  double rate = 0.01;

  SGD() = default;
  explicit SGD(double learning_rate) : rate(learning_rate) {}
  std::string name() const override { return "sgd"; }
  double learning_rate() const override { return rate; }
  std::vector<std::string> slots() const override { return {}; }
  Update Apply(const UpdateContext& c) const override;
};

// Where Adam adds epsilon: to the corrected root of v (the paper), or, as in Keras, to the
// uncorrected one.
enum class AdamEpsilon { kUsual, kKeras };

// Kingma and Ba 2015: m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2,
//   usual  p -= lr * mhat / (sqrt(vhat) + eps), mhat = m / (1-b1^t), vhat = v / (1-b2^t);
//   Keras  p -= lr * sqrt(1-b2^t) / (1-b1^t) * m / (sqrt(v) + eps).
struct AdamOptions {
  double learning_rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7;
  AdamEpsilon epsilon_form = AdamEpsilon::kKeras;
};
struct Adam final : Optimizer {
  AdamOptions options;

  Adam() = default;
  explicit Adam(const AdamOptions& o) : options(o) {}
  std::string name() const override { return "adam"; }
  double learning_rate() const override { return options.learning_rate; }
  std::vector<std::string> slots() const override { return {"m", "v"}; }
  Update Apply(const UpdateContext& c) const override;
};

}  // namespace gradus
