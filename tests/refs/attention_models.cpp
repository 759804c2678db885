// Cases of embedding and attention: embedding_mean, mha_*, transformer_block.

#include <array>

#include "fmt/format.h"
#include "frontend/attention.h"
#include "frontend/normalization.h"
#include "tests/refs/models.h"

namespace gradus::refs {
namespace {

absl::Status EmbeddingMean(CaseGraph& c) {
  const Tensor rows = gather(c.param("table"), c.in("x"), 0);
  const Tensor y = matmul(reduce_mean(rows, {1}), c.param("W")) + c.param("b");
  c.Output("y", y);
  c.loss = sparse_categorical_crossentropy_from_logits(c.in("target"), y);
  return absl::OkStatus();
}

// Projections side by side: Wi [E, 3E] has columns q, k, v. No gradient passes to the keys' bias:
// it adds one number to all scores of a query, which softmax takes away again. (Rounding would
// leave something like 1e-9, which Adam takes for a direction.)
Tensor SelfAttention(const CaseGraph& c, Tensor x, int64_t heads, Tensor bias) {
  std::vector<Tensor> parts = split(matmul(x, c.param("Wi")), 3, -1);
  const std::vector<Tensor> biases = split(c.param("bi"), 3, 0);
  for (size_t i = 0; i < 3; ++i)
    parts[i] = parts[i] + (i == 1 ? stop_gradient(biases[i]) : biases[i]);
  const auto of_heads = [&](Tensor part) { return split_heads(part, heads); };
  const Tensor seen = dot_product_attention(of_heads(parts[0]), of_heads(parts[1]),
                                            of_heads(parts[2]), {.bias = bias});
  return matmul(merge_heads(seen), c.param("Wo")) + c.param("bo");
}

absl::Status FinishWith(CaseGraph& c, Tensor y) {
  c.Output("y", y);
  c.loss = mean_squared_error(c.in("target"), y);
  return absl::OkStatus();
}

absl::Status SelfAttentionCase(CaseGraph& c) {
  const auto heads = NumberAfter(c.reference.text, "self-attention, ");
  if (!heads) {
    return absl::InvalidArgumentError(
        fmt::format("{}: the case does not state its heads", c.reference.name));
  }
  return FinishWith(c, SelfAttention(c, c.in("x"), static_cast<int64_t>(*heads), c.in("mask")));
}

absl::Status TransformerBlock(CaseGraph& c) {
  // What the case leaves out is as in the others of its group.
  constexpr double kEpsilon = 1e-5;
  constexpr int64_t kHeads = 2;
  const auto norm = [&](Tensor v, const char* gamma, const char* beta) {
    return standardize(v, {-1}, kEpsilon) * c.param(gamma) + c.param(beta);
  };
  const Tensor x = c.in("x");
  const Tensor h = x + SelfAttention(c, norm(x, "g1", "be1"), kHeads, {});
  const Tensor hidden = gelu(matmul(norm(h, "g2", "be2"), c.param("W1")) + c.param("b1"));
  return FinishWith(c, h + (matmul(hidden, c.param("W2")) + c.param("b2")));
}

const std::array<NamedModel, 4> kModels = {{
    {"embedding_mean", EmbeddingMean},
    {"mha_causal", SelfAttentionCase},
    {"mha_self", SelfAttentionCase},
    {"transformer_block", TransformerBlock},
}};

}  // namespace

std::span<const NamedModel> AttentionModels() { return kModels; }

}  // namespace gradus::refs
