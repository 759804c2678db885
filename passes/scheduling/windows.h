#pragma once

// Windows: variables that one operand knows only together, as `stride * position + dilation * k` of
// a convolution. Packed along that one place rather than along each variable, every element of the
// operand is copied once, zeros around it included, and a row of the copy is a row of each window.

#include "passes/scheduling/forms.h"

namespace gradus::passes::scheduling {

// A scalar with each window as one variable that runs over its places.
struct Windowed {
  const Scalar* scalar = nullptr;
  std::vector<loop::Substitution> places;  // from that variable to the variables of the window
};

// 1. Variables are a window if their coefficients have one ratio in all forms, atoms' numerators
// included, and if places overlap: what is merely laid out row after row stays as it is.
// 2. One with a factor of 1 is replaced by the place less what the others add to it, which then
// cancel.
// `fixed` stays what it is, as do variables of symbolic extent or stride.
Windowed FindWindows(Arena& arena, const Scalar* scalar, const Variable* fixed);

// The window of two variables alone, at the places where the scalar may be other than 0: a guard
// around all of it says where. Elsewhere what stands for `from` lies outside of its range. Nullopt:
// they are no window.
std::optional<Windowed> FindWindow(Arena& arena, const Scalar* scalar, const Variable* p,
                                   const Variable* q);

}  // namespace gradus::passes::scheduling
