#pragma once

// A gradient of one's own for a function of tensors.
//
//   // The identity, whose gradient is clipped.
//   Tensor y = CustomGradient({x}, [](std::span<const Tensor> x) { return x[0]; },
//                             [](const Backward& b) { return Tensors{clip(b.dy, -1, 1)}; });

#include <source_location>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "frontend/tensor.h"

namespace gradus {

using Tensors = std::vector<Tensor>;

// What the gradient may be made of: tensors of a function of its own, only these may be used in it.
struct Backward {
  Tensors x;  // what the function was given
  Tensor y;   // what it gave
  Tensor dy;  // the gradient of y
};

// forward(x), differentiated as `backward` says: one gradient for each of x, of its type. Integers
// among x get one, too, which nobody reads: zeros_like(b.x[i]).
Tensor CustomGradient(const Tensors& x, absl::FunctionRef<Tensor(std::span<const Tensor>)> forward,
                      absl::FunctionRef<Tensors(const Backward&)> backward,
                      const std::source_location& where = std::source_location::current());

}  // namespace gradus
