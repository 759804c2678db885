#pragma once

// The folded form of graph IR's text, for people: what is used once is written where it is used,
//
//   %24 = add mul(%12, 0.1), mul(%m, 0.9) : f32[12, 64]
//
// instead of five lines. Both forms are one language: an operand is %name, op(operands
// {attributes}) or a number, and the type of what stands inside follows from the op's type rule. A
// number is a splat constant of the type of the last operand beside it that is not a number; the
// reader makes equal numbers of a function one node, before its first use.
//
// What reads back is the same graph: the same nodes with the same operands, except that constants
// that were equal are one, in an order in which nodes stand right before their only user. Printed
// in folded form it is the same text: what folds where follows from the graph alone, not from the
// order of nodes, from locations or from numbers of values.

#include <vector>

#include "ir/function.h"

namespace gradus::ir {

inline constexpr int kMaxNesting = 32;  // op(op(...)): deeper text is refused

enum class TextForm : unsigned char {
  kLine,     // a line of its own
  kNested,   // op(...), in the place of its only use
  kLiteral,  // a number, in the place of each use
};

// The form of each node, by Node::id. Takes linear time; the function may be broken.
std::vector<TextForm> FoldedForms(const Function& f);

}  // namespace gradus::ir
