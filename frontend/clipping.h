#pragma once

// Gradient clipping, as graph code between the gradients and the optimiser.

#include <span>
#include <vector>

#include "frontend/tensor.h"

namespace gradus {

struct Clipping {
  std::vector<Tensor> (*apply)(std::span<const Tensor> gradients, double limit) = nullptr;
  double limit = 0;

  explicit operator bool() const { return apply != nullptr; }
  // The gradients after clipping, in their order.
  std::vector<Tensor> operator()(std::span<const Tensor> gradients) const {
    return apply(gradients, limit);
  }
};

// Each element into [-limit, limit].
Clipping ClipByValue(double limit);
// Each gradient g times min(1, limit / (|g| + 1e-6)), with |g| its Euclidean norm.
Clipping ClipByNorm(double limit);
// All gradients times one min(1, limit / (n + 1e-6)), with n the Euclidean norm of all of them
// together (Pascanu, Mikolov and Bengio 2013, in PyTorch's form).
Clipping ClipByGlobalNorm(double limit);

}  // namespace gradus
