#pragma once

// Lowering rules made from functions on scalars. Operands are asked for in order, one a statement:
// the order in which scalars are made must not depend on the compiler.

#include "ir/loop/lowerer.h"

namespace gradus::ir {

template <loop::Expr (*F)(loop::Expr)>
loop::Expr Pointwise(const loop::At& at) {
  return F(at.Operand(0));
}

template <loop::Expr (*F)(loop::Expr, loop::Expr)>
loop::Expr Pointwise2(const loop::At& at) {
  const loop::Expr a = at.Operand(0);
  const loop::Expr b = at.Operand(1);
  return F(a, b);
}

// What a float and an integer version share a record with.
template <loop::Expr (*OfFloats)(loop::Expr, loop::Expr),
          loop::Expr (*OfIntegers)(loop::Expr, loop::Expr)>
loop::Expr PointwiseByDType2(const loop::At& at) {
  const loop::Expr a = at.Operand(0);
  const loop::Expr b = at.Operand(1);
  return IsFloat(a.dtype()) ? OfFloats(a, b) : OfIntegers(a, b);
}

template <loop::Expr (*OfFloats)(loop::Expr), loop::Expr (*OfIntegers)(loop::Expr)>
loop::Expr PointwiseByDType(const loop::At& at) {
  const loop::Expr x = at.Operand(0);
  return IsFloat(x.dtype()) ? OfFloats(x) : OfIntegers(x);
}

// An index, one form an axis.
using Indices = absl::InlinedVector<loop::Index, 4>;

}  // namespace gradus::ir
