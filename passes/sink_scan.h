#pragma once

// Takes out of loops over time what can be done after them, for all steps at once:
// * a carry that only adds up products of each step, as the gradient of a weight does
//   (dw += a_t^T dz_t), becomes one product of stacked outputs, contracted over time, too;
// * likewise sums of each step;
// * a product that only a stacked output wants is done on the stacked operand.
//
// A rewrite that changes the order of a sum, hence its rounding; the new order depends on nothing
// but the shapes.

#include "passes/pass.h"

namespace gradus::passes {

absl::StatusOr<bool> SinkScan(ir::Module& module, const PassContext& context);

}  // namespace gradus::passes
