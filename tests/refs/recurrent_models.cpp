// Cases with loops over time: rnn_*, lstm_*, gru_*, and the seed models with them.

#include <array>

#include "frontend/recurrent.h"
#include "tests/refs/models.h"

namespace gradus::refs {
namespace {

using Function = RecurrentResult (*)(Operand, const RecurrentWeights&, const RecurrentOptions&,
                                     const RecurrentInputs&);

RecurrentWeights Weights(const CaseGraph& c, const std::string& suffix = "") {
  return {c.param("kernel" + suffix), c.param("recurrent" + suffix), c.param("bias" + suffix)};
}

Tensor DenseOf(const CaseGraph& c, Tensor x, const std::string& suffix) {
  return matmul(x, c.param("W" + suffix)) + c.param("b" + suffix);
}

// One layer, Dense 1 with sigmoid, binary cross-entropy.
template <Function kFunction, bool kSequences>
absl::Status OneLayer(CaseGraph& c) {
  const Tensor hidden =
      kFunction(c.in("x"), Weights(c), {.return_sequences = kSequences}, {}).output;
  const Tensor y = sigmoid(DenseOf(c, hidden, "o"));
  c.Output("hidden", hidden);
  c.Output("y", y);
  c.loss = binary_crossentropy(c.in("target"), y);
  return absl::OkStatus();
}

absl::Status InitialState(CaseGraph& c) {
  const RecurrentResult r = lstm(c.in("x"), Weights(c), {.return_sequences = true},
                                 {.initial_state = {c.param("h0"), c.param("c0")}});
  c.Output("y", r.output);
  c.Output("h", r.states[0]);
  c.Output("c", r.states[1]);
  c.loss = reduce_mean(square(r.output)) + reduce_mean(square(r.states[1]));
  return absl::OkStatus();
}

absl::Status StackedBidirectional(CaseGraph& c) {
  const Tensor x = c.in("x");
  const Tensor forward = lstm(x, Weights(c, "_f1"), {.return_sequences = true}).output;
  const Tensor backward =
      lstm(x, Weights(c, "_b1"), {.return_sequences = true, .go_backwards = true},
           {.input_order = true})
          .output;
  const Tensor hidden = lstm(concat({forward, backward}, -1), Weights(c, "_f2")).output;
  const Tensor y = DenseOf(c, hidden, "o");
  c.Output("hidden", hidden);
  c.Output("y", y);
  c.loss = sparse_categorical_crossentropy_from_logits(c.in("target"), y);
  return absl::OkStatus();
}

// One layer, Dense with relu, Dense 1 with sigmoid, binary cross-entropy.
absl::Status Seed(CaseGraph& c, Function function, const std::string& name) {
  const Tensor hidden = function(c.in("x"), Weights(c), {}, {}).output;
  const Tensor y = sigmoid(DenseOf(c, relu(DenseOf(c, hidden, "1")), "2"));
  c.Output(name, hidden);
  c.Output("y", y);
  c.loss = binary_crossentropy(c.in("target"), y);
  return absl::OkStatus();
}

constexpr std::array<NamedModel, 10> kModels = {{
    {"rnn_last", OneLayer<simple_rnn, false>},
    {"rnn_sequences", OneLayer<simple_rnn, true>},
    {"lstm_last", OneLayer<lstm, false>},
    {"lstm_sequences", OneLayer<lstm, true>},
    {"gru_last", OneLayer<gru, false>},
    {"gru_sequences", OneLayer<gru, true>},
    {"lstm_initial_state", InitialState},
    {"lstm_stacked_bidirectional", StackedBidirectional},
    {"seed_simplernn", [](CaseGraph& c) { return Seed(c, simple_rnn, "rnn"); }},
    {"seed_lstm", [](CaseGraph& c) { return Seed(c, lstm, "lstm"); }},
}};

}  // namespace

std::span<const NamedModel> RecurrentModels() { return kModels; }

}  // namespace gradus::refs
