#pragma once

// Recurrent layers: SimpleRNN, LSTM and GRU as in Keras, over inputs [B, T, features] where T is a
// number or a symbol. They are loops over time (frontend/scan.h); what does not depend on the state
// (x W + b) is one product over all steps.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "frontend/layers.h"
#include "frontend/model.h"
#include "frontend/scan.h"

namespace gradus {

// kernel [features, g * units], recurrent [units, g * units], bias [g * units] or none, with g
// gates: 1 (SimpleRNN), 4 in the order i f c o (LSTM), 3 in the order z r h (GRU, whose bias is
// [2, 3 * units] with reset_after: of the input, of the state).
struct RecurrentWeights {
  Tensor kernel, recurrent, bias;
};

struct RecurrentOptions {
  Activation activation = gradus::tanh;
  Activation recurrent_activation = gradus::sigmoid;  // of gates
  bool return_sequences = false;                      // [B, T, units] instead of [B, units]
  bool go_backwards = false;  // from the last step to the first; sequences come in that order, too
  bool reset_after = true;    // GRU: the reset gate acts after the product with the state

  bool bias = true;
  Initializer kernel_initializer = GlorotUniform();
  Initializer recurrent_initializer = Orthogonal();
  Initializer bias_initializer = Zeros();
  bool unit_forget_bias = true;  // LSTM: the forget gate's bias starts at 1
  // Shares of the features and of the state that are dropped in training, the same ones at every
  // step of a sample.
  double dropout = 0, recurrent_dropout = 0;
};

// What a call may be given besides its input.
struct RecurrentInputs {
  std::vector<Tensor> initial_state;  // [B, units] each: h, for an LSTM h and c; empty: zeros
  // i1 [B, T], false where a step is padding, or the number of steps of each sample, i32 or i64
  // [B]. At padding the state stays and the output is that of the step before.
  Tensor mask;
  Tensor input_factor;       // [B, features], multiplies every step's input: dropout
  Tensor recurrent_factor;   // [B, units], multiplies the state where gates read it
  bool input_order = false;  // sequences in the order of the input also with go_backwards
};

struct RecurrentResult {
  Tensor output;               // [B, units], or [B, T, units]
  std::vector<Tensor> states;  // [B, units] each, after the last step
};

//   h' = activation(x W + h U + b)
RecurrentResult simple_rnn(Operand x, const RecurrentWeights& weights,
                           const RecurrentOptions& options = {},
                           const RecurrentInputs& inputs = {});
//   c' = f c + i activation(g),  h' = o activation(c'); Hochreiter and Schmidhuber 1997, Gers 2000
RecurrentResult lstm(Operand x, const RecurrentWeights& weights,
                     const RecurrentOptions& options = {}, const RecurrentInputs& inputs = {});
//   h' = z h + (1 - z) activation(x Wh + b0 + r (h Uh + b1)), without reset_after ((r h) Uh);
//   Cho et al. 2014
RecurrentResult gru(Operand x, const RecurrentWeights& weights,
                    const RecurrentOptions& options = {}, const RecurrentInputs& inputs = {});

// What the three layers share.
class Recurrent : public Layer {
 public:
  using Options = RecurrentOptions;
  using Function = RecurrentResult (*)(Operand, const RecurrentWeights&, const RecurrentOptions&,
                                       const RecurrentInputs&);

  // As operator()(x), with more inputs and the states.
  RecurrentResult Apply(Operand x, const RecurrentInputs& inputs = {});

 protected:
  Recurrent(Model& model, std::string name, std::string type, Function function, int gates,
            int64_t units, Options options);
  Tensor Call(Operand x) override;

 private:
  friend class Bidirectional;
  // Inside of a call: `prefix` stands before the names of the parameters.
  RecurrentResult Build(Operand x, const RecurrentInputs& inputs, const std::string& prefix);
  Tensor BiasOf(const std::string& prefix);
  bool Check(Operand x, const RecurrentInputs& inputs);

  Function function_;
  int gates_;
  int64_t units_;
  Options options_;
};

class SimpleRNN : public Recurrent {
 public:
  SimpleRNN(Model& model, std::string name, int64_t units, Options options = {});
  SimpleRNN(Model& model, std::string name, int64_t units, Activation activation);
};

class LSTM : public Recurrent {
 public:
  LSTM(Model& model, std::string name, int64_t units, Options options = {});
};

class GRU : public Recurrent {
 public:
  GRU(Model& model, std::string name, int64_t units, Options options = {});
};

// How the two directions become one.
enum class Merge : uint8_t { kConcat, kSum, kMul, kAve };

// A layer run forward and, with weights of its own, backward over time. Sequences of both are in
// the order of the input.
//   m.Add<Bidirectional>("both", std::in_place_type<LSTM>, 64, {.return_sequences = true})
class Bidirectional : public Layer {
 public:
  template <typename L>
  Bidirectional(Model& model, const std::string& name, std::in_place_type_t<L>, int64_t units,
                RecurrentOptions options = {}, Merge merge = Merge::kConcat)
      : Bidirectional(model, name, merge) {
    forward_ = std::make_unique<L>(model, name, units, options);
    options.go_backwards = !options.go_backwards;
    backward_ = std::make_unique<L>(model, name, units, std::move(options));
  }

  // States: the forward layer's, then the backward one's.
  RecurrentResult Apply(Operand x, const RecurrentInputs& inputs = {});

 protected:
  Tensor Call(Operand x) override;

 private:
  Bidirectional(Model& model, const std::string& name, Merge merge);
  RecurrentResult Build(Operand x, const RecurrentInputs& inputs);

  Merge merge_;
  std::unique_ptr<Recurrent> forward_, backward_;
};

// Applies a layer to every step of [B, T, ...], the weights shared: [B, T, result...]. As in Keras,
// a layer with statistics or masks (BatchNorm, Dropout) sees all steps of the batch at once:
// statistics are over them all, and every step is masked for itself. What cannot be applied so
// (recurrent layers, attention, a Lambda) is refused; see Layer::CallOnSteps.
class TimeDistributed : public Layer {
 public:
  // `layer` belongs to the model.
  TimeDistributed(Model& model, std::string name, Layer& layer);

 protected:
  Tensor Call(Operand x) override;

 private:
  Layer& layer_;
};

}  // namespace gradus
