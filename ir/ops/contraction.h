#pragma once

// Products of matrices, with leading axes.

#include <string_view>
#include <vector>

#include "ir/builder.h"

namespace gradus::ir {

struct MatmulOptions {
  int batch = 0;  // leading axes that both operands share and the result keeps
  bool transpose_a = false;
  bool transpose_b = false;
};
// After `batch` shared leading axes:
//   a: [rows..., k], transposed [k..., rows]       (any number of leading axes in rows..., k...)
//   b: [k..., columns], transposed [columns, k]
// result: [batch..., rows..., columns]. With both transposed, k is one axis. So x [B, T, I] times w
// [I, H] is [B, T, H], and its weight gradient, matmul(x, dz, transpose_a), contracts B and T.
Value matmul(Operand a, Operand b, const MatmulOptions& options);
// As numpy.matmul: vectors are promoted, leading axes of b (rank > 2) are batch axes and broadcast
// against a's.
Value matmul(Operand a, Operand b);

// Einstein's convention: einsum("bi,ijk,bj->bk", {a, m, c}) sums over every letter that the result
// does not name. Without "->" the result has the letters that occur once, in alphabetical order.
// Made of matmul, transpose, reshape and reduce_sum, from left to right. A letter occurs at most
// once an operand; there is no "...".
Value einsum(std::string_view subscripts, const std::vector<Operand>& operands);

}  // namespace gradus::ir
