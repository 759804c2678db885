#pragma once

// Arithmetic, comparison, selection and elementary functions of each element. Binary builders
// broadcast as NumPy does (right-aligned, sizes 1 stretched) by emitting explicit `broadcast` ops;
// a number takes the other's dtype.

#include "ir/builder.h"

namespace gradus::ir {

Value add(Operand a, Operand b);
Value sub(Operand a, Operand b);
Value mul(Operand a, Operand b);
Value div(Operand a, Operand b);
Value pow(Operand a, Operand b);
Value maximum(Operand a, Operand b);  // NaN if either is; gradient at a tie: half to each
Value minimum(Operand a, Operand b);
Value neg(Operand x);
Value abs(Operand x);  // gradient 0 at 0
Value sign(Operand x);
Value floor(Operand x);
Value exp(Operand x);
Value expm1(Operand x);
Value log(Operand x);
Value log1p(Operand x);
Value sqrt(Operand x);
Value rsqrt(Operand x);
Value sin(Operand x);
Value cos(Operand x);
Value tan(Operand x);
Value atan(Operand x);
Value asin(Operand x);
Value acos(Operand x);
Value sinh(Operand x);
Value cosh(Operand x);
Value tanh(Operand x);
Value sigmoid(Operand x);  // stable in both tails
Value erf(Operand x);
Value equal(Operand a, Operand b);  // comparisons give i1
Value not_equal(Operand a, Operand b);
Value less(Operand a, Operand b);
Value less_equal(Operand a, Operand b);
Value greater(Operand a, Operand b);
Value greater_equal(Operand a, Operand b);
Value logical_and(Operand a, Operand b);  // of i1
Value logical_or(Operand a, Operand b);
Value logical_not(Operand x);
Value select(Operand condition, Operand a, Operand b);  // condition ? a : b
Value cast(Operand x, DType dtype);
Value stop_gradient(Operand x);
// `training` in a training step, `otherwise` everywhere else: how a layer says both at once.
Value by_phase(Operand training, Operand otherwise);

Value operator+(Operand a, Operand b);
Value operator-(Operand a, Operand b);
Value operator*(Operand a, Operand b);
Value operator/(Operand a, Operand b);
Value operator-(Operand a);

}  // namespace gradus::ir
