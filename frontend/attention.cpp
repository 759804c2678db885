#include "frontend/attention.h"

#include <cmath>

#include "fmt/format.h"
#include "frontend/regularization.h"

namespace gradus {
namespace {

// Far below any score, yet a number: a row of nothing but these has a softmax.
constexpr double kUnseen = -1e9;

Tensor CausalMask(Tensor scores) {
  const Type places{DType::kI64, scores.shape()};
  ir::Function& f = scores.function();
  return less_equal(ir::iota(f, places, -1), ir::iota(f, places, -2));
}

// [B, S] or [B, T, S] with axes of size 1 where heads and positions go.
Tensor WithHeads(Tensor mask) {
  if (mask && mask.rank() == 2) mask = expand_dims(mask, 1);
  if (mask && mask.rank() == 3) mask = expand_dims(mask, 1);
  return mask;
}

}  // namespace

Tensor dot_product_attention(Operand q, Operand k, Operand v, const AttentionOptions& options) {
  const Tensor query = q.value();
  if (!query || query.is_poison()) return query;
  const int features = query.rank() - 1;
  if (query.rank() != 4 || query.shape()[features].is_symbol()) {
    query.function().ReportError(
        {.location = q.location(),
         .message = fmt::format("attention: the query is {}, expected [batch, heads, time, size]",
                                ir::ToString(query.type())),
         .help = "split_heads makes it from [batch, time, features]"});
    return query.function().poison();
  }
  const double scale = 1 / std::sqrt(static_cast<double>(query.shape()[features].size()));
  // The queries are scaled, not the scores: there are fewer of them.
  Tensor scores = matmul(mul(q, scale), k, MatmulOptions{.batch = 2, .transpose_b = true});
  if (!scores || scores.is_poison()) return scores;
  if (options.bias) scores = scores + options.bias;
  if (options.causal) scores = select(CausalMask(scores), scores, kUnseen);
  if (options.mask) scores = select(broadcast_to(options.mask, scores.shape()), scores, kUnseen);
  Tensor weights = softmax(scores, -1);
  if (options.dropout > 0) {
    weights =
        by_phase(weights * DropoutMask(options.key, weights.type(), options.dropout), weights);
  }
  return matmul(weights, v, MatmulOptions{.batch = 2});
}

Tensor split_heads(Operand x, int64_t heads) {
  const Tensor v = x.value();
  if (!v || v.is_poison()) return v;
  const bool cut =
      v.rank() == 3 && !v.shape()[2].is_symbol() && heads > 0 && v.shape()[2].size() % heads == 0;
  if (!cut) {
    v.function().ReportError(
        {.location = x.location(),
         .message = fmt::format("split_heads: {} is not [batch, time, {} * size]",
                                ir::ToString(v.type()), heads),
         .help = "the features must be a multiple of the heads"});
    return v.function().poison();
  }
  const Shape& s = v.shape();
  return transpose(reshape(x, {s[0], s[1], heads, s[2].size() / heads}), {0, 2, 1, 3});
}

Tensor merge_heads(Operand x) {
  const Tensor v = x.value();
  if (!v || v.is_poison()) return v;
  const Tensor t = transpose(x, {0, 2, 1, 3});
  if (!t || t.is_poison()) return t;
  const Shape& s = t.shape();
  return reshape(t, {s[0], s[1], s[2].size() * s[3].size()});
}

MultiHeadAttention::MultiHeadAttention(Model& model, std::string name, int64_t heads,
                                       int64_t head_size, Options options)
    : Layer(model, std::move(name), "multi_head_attention"),
      heads_(heads),
      head_size_(head_size),
      options_(std::move(options)) {}

Tensor MultiHeadAttention::Call(Operand x) { return Attend(x, x, x, {}); }

Tensor MultiHeadAttention::operator()(Operand query, Operand value, Tensor key, Tensor mask) {
  const Operand keys(key ? key : value.value(), value.where());
  const Operand masks(mask ? mask : query.value(), query.where());
  return Run({query, value, keys, masks}, [&] { return Attend(query, value, keys, mask); });
}

Tensor MultiHeadAttention::Project(const Operand& x, const std::string& name, int64_t units) {
  const Tensor v = x.value();
  if (v.rank() != 3 || v.shape()[2].is_symbol()) {
    return Fail(x, fmt::format("takes [batch, time, features] as {}, got {}", name,
                               ir::ToString(v.type())));
  }
  const Tensor kernel =
      Parameter(name + ".kernel", {v.shape()[2], units}, options_.kernel_initializer);
  const Tensor y = matmul(x, kernel, MatmulOptions{});
  if (!options_.bias) return y;
  Tensor bias = Parameter(name + ".bias", {units}, options_.bias_initializer);
  // The keys' bias adds one number to all scores of a query, which softmax takes away again: its
  // gradient is 0, of which rounding would leave something that Adam takes for a direction.
  if (name == "key") bias = stop_gradient(bias);
  return y + bias;
}

Tensor MultiHeadAttention::Attend(const Operand& query, const Operand& value, const Operand& key,
                                  Tensor mask) {
  if (heads_ < 1 || head_size_ < 1) {
    return Fail(query,
                fmt::format("has {} heads of {}, expected at least 1 of each", heads_, head_size_));
  }
  if (!(options_.dropout >= 0 && options_.dropout < 1)) {
    return Fail(query,
                fmt::format("drops {} of the weights, expected 0 <= rate < 1", options_.dropout));
  }
  const int64_t value_size = options_.value_size > 0 ? options_.value_size : head_size_;
  const auto heads = [&](const Operand& x, const std::string& name, int64_t size) {
    return split_heads(Operand(Project(x, name, heads_ * size), x.where()), heads_);
  };
  const Tensor q = heads(query, "query", head_size_);
  const Tensor k = heads(key, "key", head_size_);
  const Tensor v = heads(value, "value", value_size);
  AttentionOptions options{.causal = options_.causal,
                           .mask = WithHeads(mask),
                           .bias = {},
                           .dropout = options_.dropout,
                           .key = {}};
  if (options_.dropout > 0) options.key = NextRandomKey();
  const Operand seen(dot_product_attention(Operand(q, query.where()), Operand(k, key.where()),
                                           Operand(v, value.where()), options),
                     query.where());
  const Tensor merged = merge_heads(seen);
  if (merged.is_poison()) return merged;
  const int64_t output = options_.output > 0 ? options_.output : query.value().shape()[2].size();
  return Project(Operand(merged, query.where()), "output", output);
}

}  // namespace gradus
