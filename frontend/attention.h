#pragma once

// Attention: each position takes a mean of the values of others, weighted by how well their keys
// fit its query (Vaswani et al. 2017).

#include "frontend/model.h"

namespace gradus {

struct AttentionOptions {
  bool causal = false;  // no position sees a later one
  Tensor mask;          // i1, broadcast to [B, heads, T, S]: false where nothing may be seen
  Tensor bias;          // added to the scores, broadcast alike
  double dropout = 0;   // of the weights, in training; needs `key`
  RandomKey key;
};
// softmax(q k^T / sqrt(D) + bias) v: q [B, heads, T, D], k [B, heads, S, D], v [B, heads, S, E]
// -> [B, heads, T, E]. A position that may see nothing takes the plain mean of all values.
Tensor dot_product_attention(Operand q, Operand k, Operand v, const AttentionOptions& options = {});

// [B, T, heads * D] <-> [B, heads, T, D].
Tensor split_heads(Operand x, int64_t heads);
Tensor merge_heads(Operand x);

// Several attentions side by side, between learned projections, as in Keras. query [B, T, C], value
// [B, S, C'], key like value -> [B, T, output]. Parameters query.kernel [C, heads * head_size],
// key.kernel, value.kernel, output.kernel, and biases of the same names.
class MultiHeadAttention : public Layer {
 public:
  struct Options {
    int64_t value_size = 0;  // of a head; 0: as head_size
    int64_t output = 0;      // 0: as many features as the query has
    bool causal = false;
    bool bias = true;
    double dropout = 0;
    Initializer kernel_initializer = GlorotUniform();
    Initializer bias_initializer = Zeros();
  };
  MultiHeadAttention(Model& model, std::string name, int64_t heads, int64_t head_size)
      : MultiHeadAttention(model, std::move(name), heads, head_size, Options()) {}
  MultiHeadAttention(Model& model, std::string name, int64_t heads, int64_t head_size,
                     Options options);

  // Self-attention is (x), or (x, x). `mask` is i1: [B, S] (which keys may be seen), [B, T, S] or
  // [B, heads, T, S].
  using Layer::operator();
  Tensor operator()(Operand query, Operand value, Tensor key = {}, Tensor mask = {});

 protected:
  Tensor Call(Operand x) override;

 private:
  Tensor Attend(const Operand& query, const Operand& value, const Operand& key, Tensor mask);
  Tensor Project(const Operand& x, const std::string& name, int64_t units);
  int64_t heads_, head_size_;
  Options options_;
};

}  // namespace gradus
