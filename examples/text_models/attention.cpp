#include "examples/text_models/attention.h"

#include <cmath>

#include "fmt/format.h"

namespace gradus::text_models {

Tensor LayerNorm::Call(Operand x) {
  const Dim width = x.value().shape().dims().back();
  const Tensor centered = x - reduce_mean(x, {-1}, /*keep_dims=*/true);
  const Tensor spread = reduce_mean(square(centered), {-1}, /*keep_dims=*/true);
  return centered * rsqrt(spread + 1e-5) * Parameter("gamma", {width}, Ones()) +
         Parameter("beta", {width}, Zeros());
}

Tensor CausalSelfAttention::Call(Operand x) {
  const Shape& shape = x.value().shape();
  if (shape.rank() != 3 || shape[1].is_symbol() || shape[2].is_symbol()) {
    return Fail(x, fmt::format("expected [batch, T, width], got {}", ir::ToString(shape)));
  }
  const Dim batch = shape[0];
  const int64_t places = shape[1].size(), width = shape[2].size();
  if (width % heads_ != 0) {
    return Fail(x, fmt::format("{} heads cannot share {} numbers", heads_, width));
  }
  const int64_t d = width / heads_;

  // Query, key and value of each place and head: [B, heads, T, d].
  const Tensor all = matmul(x, Parameter("kernel", {width, 3 * width}, GlorotUniform()));
  const auto part = [&](int64_t which) {
    const Tensor mine = slice(all, {{}, {}, {which * width, (which + 1) * width}});
    return transpose(reshape(mine, {batch, places, heads_, d}), {0, 2, 1, 3});
  };
  const Tensor q = part(0), k = part(1), v = part(2);

  Tensor fit = matmul(q, k, {.batch = 2, .transpose_b = true}) / std::sqrt(static_cast<double>(d));
  // What is after a place has a share of exp(-1e9) = 0 in what it sees.
  const Type square(DType::kI64, {places, places});
  const Tensor later = greater(iota(fit.function(), square, 1), iota(fit.function(), square, 0));
  fit = select(later, -1e9, fit);
  const Tensor seen = matmul(softmax(fit), v, {.batch = 2});  // [B, heads, T, d]
  return matmul(reshape(transpose(seen, {0, 2, 1, 3}), {batch, places, width}),
                Parameter("out", {width, width}, GlorotUniform()));
}

}  // namespace gradus::text_models
