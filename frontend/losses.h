#pragma once

// A loss as an argument of Compile: any function of (target, prediction) that gives a scalar.

#include <string>

#include "frontend/tensor.h"

namespace gradus {

class Loss {
 public:
  using Function = Tensor (*)(Operand target, Operand prediction);
  using FunctionOfNumber = Tensor (*)(Operand target, Operand prediction, double number);

  Loss(Function f);                         // NOLINT: mean_squared_error, ...
  Loss(FunctionOfNumber f);                 // NOLINT: huber, delta 1
  Loss(FunctionOfNumber f, double number);  // {huber, 2.0}

  Tensor operator()(Operand target, Operand prediction) const;
  const std::string& name() const { return name_; }
  // Targets are class numbers (i64, the prediction's shape without its last axis) rather than like
  // the prediction.
  bool sparse() const { return sparse_; }
  // Predictions are logits: metrics decide at 0 rather than at 0.5.
  bool from_logits() const { return from_logits_; }

 private:
  std::string name_;
  Function function_ = nullptr;
  FunctionOfNumber function_of_number_ = nullptr;
  double number_ = 0;
  bool sparse_ = false;
  bool from_logits_ = false;
};

}  // namespace gradus
