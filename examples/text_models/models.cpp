#include "examples/text_models/models.h"

#include <array>

#include "fmt/format.h"
#include "frontend/attention.h"
#include "frontend/embedding.h"
#include "frontend/layers.h"
#include "frontend/normalization.h"
#include "frontend/recurrent.h"

namespace gradus::text_models {
namespace {

// Recurrent layers one on another: what a place knows of the characters before it is in the state
// (Graves 2013, "Generating sequences with recurrent neural networks").
void BuildLstm(Model& m, const Sizes& s) {
  const Tensor x = m.Input("x", {kBatch, s.window}, DType::kI64);
  Tensor h = one_hot(x, s.alphabet, m.dtype());  // [B, window, alphabet]
  for (int64_t i = 1; i <= s.layers; ++i) {
    h = m.Add<LSTM>(fmt::format("lstm_{}", i), s.width, LSTM::Options{.return_sequences = true})(h);
  }
  m.Output("next", m.Add<Dense>("out", s.alphabet)(h));
}

// A decoder-only transformer: every place looks at all places up to its own (Vaswani et al. 2017),
// with the norms before what they feed, as in GPT-2 (Radford et al. 2019).
void BuildTransformer(Model& m, const Sizes& s) {
  const Initializer small = RandomNormal(0, 0.02);
  const Tensor x = m.Input("x", {kBatch, s.window}, DType::kI64);
  Tensor h = m.Add<Embedding>("characters", s.alphabet, s.width, small)(x) +
             m.Parameter("places", {s.window, s.width}, small);  // [B, window, width]
  for (int64_t i = 1; i <= s.layers; ++i) {
    const auto name = [&](std::string_view part) { return fmt::format("{}_{}", part, i); };
    const Tensor seen = m.Add<LayerNorm>(name("norm_a"))(h);
    h = h + m.Add<MultiHeadAttention>(name("attention"), s.heads, s.width / s.heads,
                                      MultiHeadAttention::Options{.causal = true})(seen);
    Tensor f = m.Add<LayerNorm>(name("norm_b"))(h);
    f = m.Add<Dense>(name("expand"), 4 * s.width, gelu_tanh)(f);
    h = h + m.Add<Dense>(name("contract"), s.width)(f);
  }
  h = m.Add<LayerNorm>("norm")(h);
  m.Output("next", m.Add<Dense>("out", s.alphabet)(h));
}

constexpr std::array<TextModel, 2> kModels = {{
    {"lstm", "one-hot characters, LSTM layers, Dense", 1, 3e-3, BuildLstm},
    {"transformer", "characters and places, blocks of attention and Dense layers, Dense", 2, 1e-3,
     BuildTransformer},
}};

}  // namespace

std::span<const TextModel> TextModels() { return kModels; }

}  // namespace gradus::text_models
