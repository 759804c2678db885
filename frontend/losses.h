#pragma once

// A loss as an argument of Compile: any function of (target, prediction) that gives a scalar, with
// options that compose:
//
//   .loss = binary_crossentropy
//   .loss = Loss(categorical_crossentropy).WithLabelSmoothing(0.1).WithClassWeights({1, 1, 5})
//   .loss = Loss::Each("pinball", [](Operand t, Operand y) { ... })   // one's own, one term a
//   sample

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "frontend/tensor.h"

namespace gradus {

// How a loss reads its targets.
enum class TargetKind {
  kNumbers,      // like the prediction
  kBinary,       // like the prediction, 0 or 1 (or between)
  kCategorical,  // like the prediction, whose last axis holds classes: one-hot or shares
  kSparse,       // class numbers: i64, the prediction's shape without its last axis
};

class Loss {
 public:
  using Function = Tensor (*)(Operand target, Operand prediction);
  using FunctionOfNumber = Tensor (*)(Operand target, Operand prediction, double number);

  Loss(Function f);                         // NOLINT: mean_squared_error, ...
  Loss(FunctionOfNumber f);                 // NOLINT: huber, delta 1
  Loss(FunctionOfNumber f, double number);  // {huber, 2.0}
  // The mean of what f gives for each sample, [B, ...]. Only losses that are such a mean can be
  // weighted; the known ones are.
  static Loss Each(std::string name, Function f);

  // Targets t of binary losses become t (1 - amount) + amount / 2; of categorical and sparse ones
  // t (1 - amount) + amount / classes (Szegedy et al. 2016).
  Loss WithLabelSmoothing(double amount) const;
  // Terms count by the class of their target: weights[c] for class c. A target's class is its
  // largest entry, its number, or, where the last axis has one element, whether it is above 0.5.
  // The sum is divided by the number of terms, not by the sum of the weights, as in Keras.
  Loss WithClassWeights(std::vector<double> weights) const;

  // A scalar. `weight`, if it is a tensor, is [B]: what each sample counts. The weighted sum is
  // divided by the number of terms.
  Tensor operator()(Operand target, Operand prediction, Tensor weight = {}) const;

  const std::string& name() const { return name_; }
  TargetKind target_kind() const { return kind_; }
  bool sparse() const { return kind_ == TargetKind::kSparse; }
  // Predictions are logits: metrics decide at 0 rather than at 0.5.
  bool from_logits() const { return from_logits_; }
  // Whether the options fit the loss.
  absl::Status Check(bool sample_weights) const;

 private:
  Loss() = default;
  Tensor Terms(const Operand& target, const Operand& prediction) const;
  Tensor Smoothed(Tensor target, Tensor prediction) const;
  Tensor ClassWeight(Tensor target, Tensor prediction) const;

  std::string name_;
  Function function_ = nullptr;
  Function each_ = nullptr;  // the terms that function_ is the mean of, if there are such
  FunctionOfNumber function_of_number_ = nullptr;
  FunctionOfNumber each_of_number_ = nullptr;
  double number_ = 0;
  TargetKind kind_ = TargetKind::kNumbers;
  bool from_logits_ = false;
  double smoothing_ = 0;
  std::vector<double> class_weights_;
};

// `weight` over the shape: its axes are the shape's first ones.
Tensor SpreadOver(Tensor weight, const Shape& shape);

}  // namespace gradus
