#pragma once

// Layers that act in training only.

#include "frontend/model.h"

namespace gradus {

// In training each element is kept with probability 1 - rate and divided by it, else 0 (Srivastava
// et al. 2014, inverted as in Keras); otherwise x itself. Any shape. Axes in `shared_axes` (of size
// 1 in the mask; -1 is the last) are kept or dropped as a whole: {1} drops whole features of
// [B, T, C] over time.
class Dropout : public Layer {
 public:
  Dropout(Model& model, std::string name, double rate, std::vector<int64_t> shared_axes = {});

 protected:
  Tensor Call(Operand x) override { return Apply(x, shared_axes_); }
  Tensor CallOnSteps(Operand x) override;

 private:
  Tensor Apply(Operand x, const std::vector<int64_t>& shared_axes);

  double rate_;
  std::vector<int64_t> shared_axes_;
};

// Dropout as a function of tensors: for the step of a loop, where layers are not.
Tensor dropout(Operand x, const RandomKey& key, double rate);

// What Dropout multiplies by, in any phase: 0 or 1 / (1 - rate). For layers that mask something of
// their own, such as a recurrent state.
Tensor DropoutMask(RandomKey key, const Type& type, double rate);

// In training x plus N(0, deviation^2).
class GaussianNoise : public Layer {
 public:
  GaussianNoise(Model& model, std::string name, double deviation);

 protected:
  Tensor Call(Operand x) override;
  Tensor CallOnSteps(Operand x) override { return Call(x); }

 private:
  double deviation_;
};

}  // namespace gradus
