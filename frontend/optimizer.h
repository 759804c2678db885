#pragma once

// The contract of an optimiser: graph code that turns a parameter, its gradient and the optimiser's
// state into their new values. It is compiled into the training step; no parameter is walked on the
// host. The learning rate is an argument of the step, so that it can change without compiling
// again.

#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "frontend/tensor.h"

namespace gradus {

// One state tensor of each parameter, of the parameter's type: its name ("m") and the value that
// all of its elements start from.
struct Slot {
  std::string name;
  double start = 0;
};

struct UpdateContext {
  Tensor parameter, gradient;
  std::vector<Tensor> state;   // as many as slots
  Tensor learning_rate;        // scalar of the parameter's dtype
  Tensor step;                 // scalar of the parameter's dtype: 1 at the first update
  std::vector<Tensor> common;  // what Prepare gave for this rate and step
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
  virtual std::vector<Slot> slots() const = 0;
  // Scalars that the updates of all parameters share; called once a step.
  virtual std::vector<Tensor> Prepare(Tensor learning_rate, Tensor step) const;
  virtual Update Apply(const UpdateContext& c) const = 0;
};

// Any optimiser, as a value: `.optimizer = Adam{}`.
class AnyOptimizer {
 public:
  template <typename O, typename = std::enable_if_t<std::is_base_of_v<Optimizer, O>>>
  AnyOptimizer(O optimizer)
      : optimizer_(std::make_shared<const O>(std::move(optimizer))) {}  // NOLINT
  const Optimizer& operator*() const { return *optimizer_; }
  const Optimizer* operator->() const { return optimizer_.get(); }

 private:
  std::shared_ptr<const Optimizer> optimizer_;
};

}  // namespace gradus
