#include "frontend/recurrent.h"

#include "fmt/format.h"
#include "frontend/regularization.h"

namespace gradus {
namespace {

// What a step knows besides its part of x W + b.
struct Cell {
  const RecurrentOptions& options;
  int64_t units;
  std::vector<Tensor> states;
  Tensor recurrent;       // U
  Tensor recurrent_bias;  // or none
  Tensor factor;          // of the state, or none

  // The state as gates see it.
  Tensor Read(Tensor h) const { return factor ? h * factor : h; }
  // Columns of gates `first` to `last` of z [.., g * units].
  Tensor Gates(Tensor z, int64_t first, int64_t last) const {
    std::vector<Range1> ranges(static_cast<size_t>(z.rank()));
    ranges.back() = {first * units, last * units};
    return slice(z, ranges);
  }
  Tensor Gate(Tensor z, int64_t number) const { return Gates(z, number, number + 1); }
};
// From z [B, g * units] to the new states.
using Step = std::vector<Tensor> (*)(const Cell&, Tensor z);

std::vector<Tensor> SimpleStep(const Cell& cell, Tensor z) {
  const Tensor h = cell.Read(cell.states[0]);
  return {cell.options.activation(z + matmul(h, cell.recurrent))};
}

std::vector<Tensor> LstmStep(const Cell& cell, Tensor z) {
  const RecurrentOptions& o = cell.options;
  z = z + matmul(cell.Read(cell.states[0]), cell.recurrent);
  const Tensor i = o.recurrent_activation(cell.Gate(z, 0));
  const Tensor f = o.recurrent_activation(cell.Gate(z, 1));
  const Tensor g = o.activation(cell.Gate(z, 2));
  const Tensor output = o.recurrent_activation(cell.Gate(z, 3));
  const Tensor c = f * cell.states[1] + i * g;
  return {output * o.activation(c), c};
}

std::vector<Tensor> GruStep(const Cell& cell, Tensor x) {
  const RecurrentOptions& o = cell.options;
  const Tensor old = cell.states[0], h = cell.Read(old);
  Tensor update, candidate;
  if (o.reset_after) {
    Tensor s = matmul(h, cell.recurrent);
    if (cell.recurrent_bias) s = s + cell.recurrent_bias;
    update = o.recurrent_activation(cell.Gate(x, 0) + cell.Gate(s, 0));
    const Tensor reset = o.recurrent_activation(cell.Gate(x, 1) + cell.Gate(s, 1));
    candidate = o.activation(cell.Gate(x, 2) + reset * cell.Gate(s, 2));
  } else {
    const Tensor s = matmul(h, cell.Gates(cell.recurrent, 0, 2));
    update = o.recurrent_activation(cell.Gate(x, 0) + cell.Gate(s, 0));
    const Tensor reset = o.recurrent_activation(cell.Gate(x, 1) + cell.Gate(s, 1));
    candidate = o.activation(cell.Gate(x, 2) + matmul(reset * h, cell.Gate(cell.recurrent, 2)));
  }
  return {update * old + (1.0 - update) * candidate};
}

Tensor Transposed(Operand x) {  // time first, or batch first
  std::vector<int64_t> axes = {1, 0};
  for (int axis = 2; axis < x.value().rank(); ++axis) axes.push_back(axis);
  return transpose(x, axes);
}

// i1 [T, B] from a mask [B, T] or numbers of steps [B].
Tensor StepMask(Operand x, Tensor mask) {
  if (mask.rank() == 2) return Transposed(mask);
  const Dim batch = x.value().shape()[0], time = x.value().shape()[1];
  const Tensor step = iota(mask.function(), {mask.dtype(), {time, batch}}, 0);
  return less(step, mask);
}

class Runner {
 public:
  Runner(Operand x, const RecurrentOptions& options, const RecurrentInputs& inputs, size_t states,
         int64_t units)
      : x_(x), options_(options), inputs_(inputs), num_states_(states), units_(units) {}

  RecurrentResult Run(const std::string& name, Tensor kernel, Tensor recurrent, Tensor bias,
                      Tensor recurrent_bias, Step step) {
    Operand steps(Transposed(x_), x_.where());
    if (inputs_.input_factor) steps = Operand(mul(steps, inputs_.input_factor), x_.where());
    Tensor z = matmul(steps, kernel, MatmulOptions{});
    if (bias) z = add(Operand(z, x_.where()), bias);
    ScanOperands operands{.carries = InitialStates(), .sequences = {z}, .invariants = {recurrent}};
    if (z.is_poison()) return Poison();
    // Where an initial state is given, what comes before the first step that is no padding is not
    // it, but 0.
    const bool keeps_output = inputs_.mask && !inputs_.initial_state.empty();
    if (keeps_output) operands.carries.push_back(zeros_like(operands.carries[0]));
    if (inputs_.mask) operands.sequences.push_back(StepMask(x_, inputs_.mask));
    if (recurrent_bias) operands.invariants.push_back(recurrent_bias);
    if (inputs_.recurrent_factor) operands.invariants.push_back(inputs_.recurrent_factor);
    const ScanValues r = Scan(
        name, operands,
        [&](const ScanStep& s) {
          size_t next = 1;
          Cell cell{options_, units_, {}, s.invariants[0], {}, {}};
          cell.states.assign(s.carries.begin(),
                             s.carries.begin() + static_cast<std::ptrdiff_t>(num_states_));
          if (recurrent_bias) cell.recurrent_bias = s.invariants[next++];
          if (inputs_.recurrent_factor) cell.factor = s.invariants[next++];
          ScanValues values{.carries = step(cell, s.elements[0]), .outputs = {}};
          Tensor output = values.carries[0];
          if (inputs_.mask) {
            const Tensor valid = expand_dims(s.elements[1], 1);
            const Tensor before = keeps_output ? s.carries.back() : s.carries[0];
            for (size_t i = 0; i < num_states_; ++i) {
              values.carries[i] = select(valid, values.carries[i], s.carries[i]);
            }
            output = keeps_output ? select(valid, output, before) : values.carries[0];
          }
          if (keeps_output) values.carries.push_back(output);
          if (options_.return_sequences) values.outputs = {output};
          return values;
        },
        {.reverse = options_.go_backwards, .length = x_.value().shape()[1]}, x_.where());
    RecurrentResult result;
    result.states.assign(r.carries.begin(),
                         r.carries.begin() + static_cast<std::ptrdiff_t>(num_states_));
    result.output = keeps_output ? r.carries.back() : r.carries[0];
    if (options_.return_sequences) result.output = InOrder(r.outputs[0]);
    return result;
  }

 private:
  std::vector<Tensor> InitialStates() const {
    if (!inputs_.initial_state.empty()) return inputs_.initial_state;
    const Type type{x_.value().dtype(), {x_.value().shape()[0], Dim(units_)}};
    const Tensor zeros = constant(x_.value().function(), type, 0, x_.where());
    return std::vector<Tensor>(num_states_, zeros);
  }

  // [T, B, units] to [B, T, units], in the order of the steps that were taken.
  Tensor InOrder(Tensor outputs) const {
    if (outputs.is_poison()) return outputs;
    if (options_.go_backwards && !inputs_.input_order) {
      outputs = slice(outputs, {Range1{-1, kEnd, -1}});
    }
    return Transposed(Operand(outputs, x_.where()));
  }

  RecurrentResult Poison() const {
    const Tensor poison = x_.value().function().poison();
    return {poison, std::vector<Tensor>(num_states_, poison)};
  }

  Operand x_;
  const RecurrentOptions& options_;
  const RecurrentInputs& inputs_;
  size_t num_states_;
  int64_t units_;
};

int64_t UnitsOf(const RecurrentWeights& w) { return w.recurrent.shape()[0].size(); }

}  // namespace

RecurrentResult simple_rnn(Operand x, const RecurrentWeights& w, const RecurrentOptions& options,
                           const RecurrentInputs& inputs) {
  return Runner(x, options, inputs, 1, UnitsOf(w))
      .Run("simple_rnn", w.kernel, w.recurrent, w.bias, {}, SimpleStep);
}

RecurrentResult lstm(Operand x, const RecurrentWeights& w, const RecurrentOptions& options,
                     const RecurrentInputs& inputs) {
  return Runner(x, options, inputs, 2, UnitsOf(w))
      .Run("lstm", w.kernel, w.recurrent, w.bias, {}, LstmStep);
}

RecurrentResult gru(Operand x, const RecurrentWeights& w, const RecurrentOptions& options,
                    const RecurrentInputs& inputs) {
  Tensor bias = w.bias, recurrent_bias;
  if (bias && !bias.is_poison() && options.reset_after) {
    const auto row = [&](int64_t i) {
      return squeeze(slice(w.bias, {Range1{i, i + 1}, Range1{}}), 0);
    };
    bias = row(0);
    recurrent_bias = row(1);
  }
  return Runner(x, options, inputs, 1, UnitsOf(w))
      .Run("gru", w.kernel, w.recurrent, bias, recurrent_bias, GruStep);
}

// ---- layers ----

Recurrent::Recurrent(Model& model, std::string name, std::string type, Function function, int gates,
                     int64_t units, Options options)
    : Layer(model, std::move(name), std::move(type)),
      function_(function),
      gates_(gates),
      units_(units),
      options_(std::move(options)) {}

RecurrentResult Recurrent::Apply(Operand x, const RecurrentInputs& inputs) {
  RecurrentResult result;
  result.output = Run({x}, [&] {
    result = Build(x, inputs, "");
    return result.output;
  });
  const size_t states = gates_ == 4 ? 2 : 1;
  if (result.states.empty()) result.states.assign(states, result.output);
  return result;
}

Tensor Recurrent::Call(Operand x) { return Build(x, {}, "").output; }

bool Recurrent::Check(Operand x, const RecurrentInputs& inputs) {
  const Tensor input = x.value();
  if (units_ < 1) {
    Fail(x, fmt::format("has {} units, expected at least 1", units_));
    return false;
  }
  if (input.rank() != 3 || input.shape()[2].is_symbol()) {
    Fail(x,
         fmt::format("takes [batch, time, features] with a fixed number of features, got {}",
                     ir::ToString(input.type())),
         input.rank() == 2 ? "return_sequences in the layer before gives one row a step" : "");
    return false;
  }
  const Shape state{input.shape()[0], Dim(units_)};
  for (const Tensor s : inputs.initial_state) {
    if (!s || s.is_poison()) return false;
    if (s.shape() == state && s.dtype() == input.dtype()) continue;
    Fail(x, fmt::format("an initial state is {}, expected {}", ir::ToString(s.type()),
                        ir::ToString(Type{input.dtype(), state})));
    return false;
  }
  const size_t states = gates_ == 4 ? 2 : 1;
  if (!inputs.initial_state.empty() && inputs.initial_state.size() != states) {
    Fail(x, fmt::format("has {} states, got {}", states, inputs.initial_state.size()));
    return false;
  }
  const Tensor mask = inputs.mask;
  if (!mask) return true;
  if (mask.is_poison()) return false;
  const bool steps =
      mask.dtype() == DType::kI1 && mask.shape() == Shape{input.shape()[0], input.shape()[1]};
  const bool lengths = ir::IsInteger(mask.dtype()) && mask.shape() == Shape{input.shape()[0]};
  if (steps || lengths) return true;
  Fail(x, fmt::format("takes a mask i1[batch, time] or lengths i32[batch] or i64[batch], got {}",
                      ir::ToString(mask.type())));
  return false;
}

Tensor Recurrent::BiasOf(const std::string& prefix) {
  if (!options_.bias) return {};
  const int64_t columns = gates_ * units_;
  Shape shape{columns};
  if (gates_ == 3 && options_.reset_after) shape = {2, columns};
  const bool forget = gates_ == 4 && options_.unit_forget_bias;
  return Parameter(prefix + "bias", shape, forget ? UnitForgetBias() : options_.bias_initializer);
}

RecurrentResult Recurrent::Build(Operand x, const RecurrentInputs& inputs,
                                 const std::string& prefix) {
  if (!Check(x, inputs)) {
    const Tensor poison = x.value().function().poison();
    return {poison, std::vector<Tensor>(gates_ == 4 ? 2 : 1, poison)};
  }
  const int64_t columns = gates_ * units_;
  const Dim features = x.value().shape()[2];
  RecurrentWeights w;
  w.kernel = Parameter(prefix + "kernel", {features, columns}, options_.kernel_initializer);
  w.recurrent = Parameter(prefix + "recurrent", {units_, columns}, options_.recurrent_initializer);
  w.bias = BiasOf(prefix);
  if (w.kernel.is_poison() || w.recurrent.is_poison() || (w.bias && w.bias.is_poison())) {
    const Tensor poison = x.value().function().poison();
    return {poison, std::vector<Tensor>(gates_ == 4 ? 2 : 1, poison)};
  }
  RecurrentInputs all = inputs;
  const Dim batch = x.value().shape()[0];
  const DType dtype = x.value().dtype();
  const auto factor = [&](double rate, const Dim& columns_of) {
    const Type type{dtype, {batch, columns_of}};
    const Tensor mask = DropoutMask(NextRandomKey(), type, rate);
    return by_phase(mask, full_like(mask, 1));
  };
  if (options_.dropout > 0) all.input_factor = factor(options_.dropout, features);
  if (options_.recurrent_dropout > 0) {
    all.recurrent_factor = factor(options_.recurrent_dropout, Dim(units_));
  }
  return function_(x, w, options_, all);
}

SimpleRNN::SimpleRNN(Model& model, std::string name, int64_t units, Options options)
    : Recurrent(model, std::move(name), "simple_rnn", simple_rnn, 1, units, std::move(options)) {}
SimpleRNN::SimpleRNN(Model& model, std::string name, int64_t units, Activation activation)
    : SimpleRNN(model, std::move(name), units, Options{.activation = std::move(activation)}) {}
LSTM::LSTM(Model& model, std::string name, int64_t units, Options options)
    : Recurrent(model, std::move(name), "lstm", lstm, 4, units, std::move(options)) {}
GRU::GRU(Model& model, std::string name, int64_t units, Options options)
    : Recurrent(model, std::move(name), "gru", gru, 3, units, std::move(options)) {}

// ---- wrappers ----

Bidirectional::Bidirectional(Model& model, const std::string& name, Merge merge)
    : Layer(model, name, "bidirectional"), merge_(merge) {}

RecurrentResult Bidirectional::Apply(Operand x, const RecurrentInputs& inputs) {
  RecurrentResult result;
  result.output = Run({x}, [&] {
    result = Build(x, inputs);
    return result.output;
  });
  return result;
}

Tensor Bidirectional::Call(Operand x) { return Build(x, {}).output; }

RecurrentResult Bidirectional::Build(Operand x, const RecurrentInputs& inputs) {
  RecurrentInputs one = inputs, two = inputs;
  const size_t half = inputs.initial_state.size() / 2;
  const auto middle = inputs.initial_state.begin() + static_cast<std::ptrdiff_t>(half);
  one.initial_state.assign(inputs.initial_state.begin(), middle);
  two.initial_state.assign(middle, inputs.initial_state.end());
  one.input_order = two.input_order = true;
  RecurrentResult a = forward_->Build(x, one, "forward.");
  const RecurrentResult b = backward_->Build(x, two, "backward.");
  a.states.insert(a.states.end(), b.states.begin(), b.states.end());
  const Operand left(a.output, x.where()), right(b.output, x.where());
  switch (merge_) {
    case Merge::kConcat: a.output = concat({left, right}, -1); break;
    case Merge::kSum: a.output = add(left, right); break;
    case Merge::kMul: a.output = mul(left, right); break;
    case Merge::kAve: a.output = add(left, right) * 0.5; break;
  }
  return a;
}

TimeDistributed::TimeDistributed(Model& model, std::string name, Layer& layer)
    : Layer(model, std::move(name), "time_distributed"), layer_(layer) {}

Tensor TimeDistributed::Call(Operand x) {
  if (x.value().rank() < 3) {
    return Fail(x,
                fmt::format("takes [batch, time, ...] with at least one more axis, got {}",
                            ir::ToString(x.value().type())),
                "expand_dims gives every step an axis of size 1");
  }
  return layer_.Run({x}, [&] { return layer_.CallOnSteps(x); });
}

}  // namespace gradus
