#pragma once

// The layers. Each says its input and output shapes and its parameters.

#include "frontend/model.h"

namespace gradus {

// y = activation(x W + b): [..., in] -> [..., units]. Parameters kernel [in, units] and bias
// [units].
class Dense : public Layer {
 public:
  struct Options {
    Activation activation = linear;
    bool bias = true;
    Initializer kernel_initializer = GlorotUniform();
    Initializer bias_initializer = Zeros();
  };
  Dense(Model& model, std::string name, int64_t units)
      : Dense(model, std::move(name), units, Options()) {}
  Dense(Model& model, std::string name, int64_t units, Activation activation);
  Dense(Model& model, std::string name, int64_t units, Options options);

 protected:
  Tensor Call(Operand x) override;

 private:
  int64_t units_;
  Options options_;
};

// An activation as a layer of its own: any shape.
class ActivationLayer : public Layer {
 public:
  ActivationLayer(Model& model, std::string name, Activation activation);

 protected:
  Tensor Call(Operand x) override;

 private:
  Activation activation_;
};

// max(x, 0) + slope * min(x, 0) with a learned slope for each element of all axes but the batch's.
// Parameter alpha.
class PReLU : public Layer {
 public:
  PReLU(Model& model, std::string name, Initializer initializer = Constant(0.25));

 protected:
  Tensor Call(Operand x) override;

 private:
  Initializer initializer_;
};

// [B, ...] -> [B, product of the rest].
class Flatten : public Layer {
 public:
  Flatten(Model& model, std::string name);

 protected:
  Tensor Call(Operand x) override;
};

}  // namespace gradus
