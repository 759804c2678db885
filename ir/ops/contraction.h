#pragma once

// Products of matrices, with leading axes.

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

}  // namespace gradus::ir
