#pragma once

// L1 and L2 penalties on weights. They are part of the loss that training reports, as in Keras, and
// so of the gradients.
//
//   .regularizers = {L2(1e-4)}                                    // all kernels
//   .regularizers = {L2(0.01).For("hidden"), L1(0.1).For("out.bias")}

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "frontend/tensor.h"

namespace gradus {

// l1 sum |w| + l2 sum w^2 over a set of parameters.
struct Regularizer {
  double l1 = 0, l2 = 0;
  // Empty: every kernel of the model (a parameter whose name ends in "kernel"). A layer's name: its
  // kernels. A parameter's name: that one.
  std::string of;

  Regularizer For(std::string name) const { return {l1, l2, std::move(name)}; }
  bool AppliesTo(std::string_view parameter) const;
};

Regularizer L1(double factor);
Regularizer L2(double factor);
Regularizer L1L2(double l1, double l2);

// The sum of all penalties on `parameters`, arguments with their names; no tensor if there are
// none.
Tensor Penalty(std::span<const Regularizer> regularizers, std::span<const Tensor> parameters);
// An error if one of the regularizers applies to no parameter.
absl::Status CheckRegularizers(std::span<const Regularizer> regularizers,
                               std::span<const std::string> parameters);

}  // namespace gradus
