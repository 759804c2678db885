#pragma once

// A sum of products, taken apart: which factors belong together because they depend on the same
// outer variables. `dy * select(y > 0, 1, 0)` clusters by itself: that is what a prologue is.

#include <string>

#include "passes/scheduling/forms.h"

namespace gradus::passes::scheduling {

struct Cluster {
  Variables outer;  // free variables that are not summed over
  std::vector<const Scalar*> factors;
};

struct Product {
  std::vector<Cluster> clusters;      // one (then the other side is a vector over K alone) or two
  std::vector<const Scalar*> k_only;  // factors that depend on the summed variables alone
  std::vector<const Scalar*>
      outside;  // factors that do not depend on them, to be multiplied after the sum
  bool negated = false;
  std::string why_not;  // not empty: not a sum of products of two sides
};

// 1. Flatten the product under the sum; a guard over a product goes to the factor whose variables
// include the guard's.
// 2. Cluster the factors by their outer variables; a cluster inside another joins it.
Product FindFactors(Arena& arena, const Scalar& sum);

// The product of the factors.
const Scalar* Multiply(Arena& arena, std::span<const Scalar* const> factors);

}  // namespace gradus::passes::scheduling
