#pragma once

// Ops without operands. They need the function that they go to.

#include "ir/builder.h"

namespace gradus::ir {

Value constant(Function& f, const Type& type, double value,
               const std::source_location& where = std::source_location::current());
Value constant_int(Function& f, const Type& type, int64_t value,
                   const std::source_location& where = std::source_location::current());
// A constant of x's type; of a scalar of x's dtype.
Value full_like(Value x, double value);
Value zeros_like(Value x);
Value scalar_like(Value x, double value);
// The splat constant `x` in another shape.
Value SplatLike(Value x, const Shape& shape);
// The index along `axis` at each element, of any numeric dtype.
Value iota(Function& f, const Type& type, int64_t axis,
           const std::source_location& where = std::source_location::current());

}  // namespace gradus::ir
