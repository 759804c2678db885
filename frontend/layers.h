#pragma once

// The layers. Each says its input and output shapes and its parameters.

#include <functional>

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
  Tensor CallOnSteps(Operand x) override { return Call(x); }

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
  Tensor CallOnSteps(Operand x) override { return Call(x); }

 private:
  Activation activation_;
};

// Activations by name, as Keras has them.
class ReLU : public ActivationLayer {
 public:
  ReLU(Model& model, std::string name) : ActivationLayer(model, std::move(name), relu) {}
};
class LeakyReLU : public ActivationLayer {
 public:
  LeakyReLU(Model& model, std::string name, double slope = 0.2)
      : ActivationLayer(model, std::move(name), {leaky_relu, slope}) {}
};
class ELU : public ActivationLayer {
 public:
  ELU(Model& model, std::string name, double alpha = 1.0)
      : ActivationLayer(model, std::move(name), {elu, alpha}) {}
};
class Softmax : public ActivationLayer {  // along the last axis
 public:
  Softmax(Model& model, std::string name) : ActivationLayer(model, std::move(name), softmax) {}
};

// max(x, 0) + slope * min(x, 0) with a learned slope for each element of all axes but the batch's.
// Parameter alpha.
class PReLU : public Layer {
 public:
  PReLU(Model& model, std::string name, Initializer initializer = Constant(0.25));

 protected:
  Tensor Call(Operand x) override { return Apply(x, 1); }
  Tensor CallOnSteps(Operand x) override { return Apply(x, 2); }

 private:
  // `leading`: how many axes come before those of a sample, or of a step.
  Tensor Apply(Operand x, int leading);

  Initializer initializer_;
};

// [B, ...] -> [B, product of the rest].
class Flatten : public Layer {
 public:
  Flatten(Model& model, std::string name);

 protected:
  Tensor Call(Operand x) override { return Apply(x, 1); }
  Tensor CallOnSteps(Operand x) override { return Apply(x, 2); }

 private:
  // `leading`: how many axes come before those of a sample, or of a step.
  Tensor Apply(Operand x, int leading);
};

// [B, ...] -> [B, sizes...]: the same elements of each sample in another shape. One size may be -1.
class Reshape : public Layer {
 public:
  Reshape(Model& model, std::string name, std::vector<int64_t> sizes);

 protected:
  Tensor Call(Operand x) override { return Apply(x, 1); }
  Tensor CallOnSteps(Operand x) override { return Apply(x, 2); }

 private:
  // `leading`: how many axes come before those of a sample, or of a step.
  Tensor Apply(Operand x, int leading);

  std::vector<int64_t> sizes_;
};

// Result axis i + 1 is axis axes[i] of x, counted from 1 as in Keras; the batch stays first.
class Permute : public Layer {
 public:
  Permute(Model& model, std::string name, std::vector<int64_t> axes);

 protected:
  Tensor Call(Operand x) override { return Apply(x, 1); }
  Tensor CallOnSteps(Operand x) override { return Apply(x, 2); }

 private:
  // `leading`: how many axes come before those of a sample, or of a step.
  Tensor Apply(Operand x, int leading);

  std::vector<int64_t> axes_;
};

// Any function of one tensor as a layer. (In a model that calls its layers itself, the function
// alone is enough.)
class Lambda : public Layer {
 public:
  using Function = std::function<Tensor(Operand)>;
  Lambda(Model& model, std::string name, Function function);

 protected:
  Tensor Call(Operand x) override;

 private:
  Function function_;
};

}  // namespace gradus
