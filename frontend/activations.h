#pragma once

// An activation as an argument of a layer: `Dense("hidden", 64, relu)`. Made from the functions of
// the DSL, or from any function of one tensor.

#include <string>

#include "frontend/tensor.h"

namespace gradus {

Tensor linear(Operand x);  // the identity

class Activation {
 public:
  using Function = Tensor (*)(Operand);
  using FunctionOfNumber = Tensor (*)(Operand, double);
  using FunctionOfAxis = Tensor (*)(Operand, int64_t);

  Activation() : Activation(linear) {}
  Activation(Function f);                         // NOLINT: relu, tanh, ...
  Activation(FunctionOfNumber f);                 // NOLINT: leaky_relu (slope 0.2), elu (alpha 1)
  Activation(FunctionOfNumber f, double number);  // {leaky_relu, 0.1}
  Activation(FunctionOfAxis f);  // NOLINT: softmax, log_softmax along the last axis

  Tensor operator()(Operand x) const;
  // "relu"; "custom" for a function of the user's.
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  Function function_ = nullptr;
  FunctionOfNumber function_of_number_ = nullptr;
  FunctionOfAxis function_of_axis_ = nullptr;
  double number_ = 0;
};

}  // namespace gradus
