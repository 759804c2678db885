// Three examples that an article on neural networks works by hand: a convolution, a recurrent
// layer, an LSTM. See README.md beside this file.

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "frontend/gradus.h"
#include "ir/ops/convolution.h"

using namespace gradus;
using Array = runtime::Tensor;
using Numbers = std::vector<double>;

namespace {

constexpr int64_t kSteps = 5, kUnits = 2;

Array Of(const Shape& shape, const Numbers& numbers) {
  std::vector<int64_t> sizes;
  for (const Dim& d : shape) sizes.push_back(d.size());
  return Array::FromVector(sizes, numbers).value();
}

struct Argument {
  std::string name;
  Shape shape;
  Numbers numbers;
};

// Compiles the graph and calls it with these numbers: one list of numbers an output.
absl::StatusOr<std::vector<Numbers>> Compute(Graph& g, const std::vector<Argument>& arguments) {
  const auto compiled = Compile(g);
  if (!compiled.ok()) return compiled.status();
  std::vector<Array> arrays;
  for (const Argument& a : arguments) arrays.push_back(Of(a.shape, a.numbers));
  const auto results = compiled->Run(std::move(arrays));
  if (!results.ok()) return results.status();
  std::vector<Numbers> values;
  for (const Array& a : *results) {
    values.emplace_back(a.data<double>().begin(), a.data<double>().end());
  }
  return values;
}

std::vector<Tensor> Inputs(Graph& g, const std::vector<Argument>& arguments) {
  std::vector<Tensor> inputs;
  for (const Argument& a : arguments) inputs.push_back(g.Input(a.name, a.shape));
  return inputs;
}

// [units] values, one a time step, as [steps, units].
Tensor Stack(const std::vector<Tensor>& rows) {
  std::vector<ir::Operand> parts;
  for (const Tensor& row : rows) parts.emplace_back(expand_dims(row, 0));
  return concat(parts, 0);
}

Tensor At(Tensor x, int64_t i) { return slice(x, {{i, i + 1}}); }

// ---------------------------------------------------------------------------------------------

absl::Status ConvolutionExample() {
  const std::vector<Argument> arguments = {
      {"image", {3, 3, 1}, {2, 1, 0, 1, 0, 2, 0, 1, 1}},
      {"filter", {3, 3, 1, 1}, {1, 0, 1, 0, 1, 0, 1, 0, 1}},
  };
  Graph g("convolution", DType::kF64);
  const auto in = Inputs(g, arguments);
  g.Output("valid", relu(ir::convolution(in[0], in[1])));
  g.Output("same", relu(ir::convolution(in[0], in[1], {.low = {1, 1}, .high = {1, 1}})));
  const auto values = Compute(g, arguments);
  if (!values.ok()) return values.status();
  const Numbers& same = (*values)[1];
  fmt::print(
      "Convolution of [[2,1,0],[1,0,2],[0,1,1]] with [[1,0,1],[0,1,0],[1,0,1]], then relu\n");
  fmt::print("  without padding:   [[{}]]\n", (*values)[0][0]);
  fmt::print("  zeros around it:   [[{},{},{}],[{},{},{}],[{},{},{}]]\n", same[0], same[1], same[2],
             same[3], same[4], same[5], same[6], same[7], same[8]);
  fmt::print("  the article's:     [[3,5,5],[2,0,2],[5,5,3]]\n");
  fmt::print("  Only its first entry is right, as the one value without padding.\n\n");
  return absl::OkStatus();
}

absl::Status RecurrentExample() {
  const std::vector<Argument> arguments = {{"x", {kSteps}, {1, 2, 3, 4, 5}},
                                           {"w", {kUnits}, {0.1, 0.2}},
                                           {"u", {kUnits}, {0.3, 0.4}},
                                           {"b", {kUnits}, {0.5, 0.6}}};
  Graph g("recurrent", DType::kF64);
  const auto in = Inputs(g, arguments);
  const Tensor x = in[0], w = in[1], u = in[2], b = in[3];
  Tensor h = zeros_like(b);
  std::vector<Tensor> sums, states;
  for (int64_t t = 0; t < kSteps; ++t) {
    sums.push_back(w * At(x, t) + u * h + b);
    h = tanh(sums.back());
    states.push_back(h);
  }
  g.Output("sums", Stack(sums));
  g.Output("states", Stack(states));
  const auto values = Compute(g, arguments);
  if (!values.ok()) return values.status();
  const Numbers &z = (*values)[0], &s = (*values)[1];
  const Numbers their_sums = {0.62, 0.9633, 1.12281, 1.24591, 1.35446};
  const Numbers their_states = {0.5433, 0.7427, 0.8197, 0.8482, 0.8809};
  fmt::print("Recurrent layer of two units, h = tanh(x w + h u + b), over 1, 2, 3, 4, 5\n");
  fmt::print(
      "  each unit sees its own last state: two recurrent weights are too few for a matrix\n");
  fmt::print(
      "    x    unit 1: sum      h    unit 2: sum      h    article: sum    \"tanh\"  tanh\n");
  for (size_t t = 0; t < kSteps; ++t) {
    fmt::print("    {}   {:12.5f} {:6.4f}   {:12.5f} {:6.4f}   {:13.5f}    {:6.4f}  {:6.4f}\n",
               t + 1, z[2 * t], s[2 * t], z[2 * t + 1], s[2 * t + 1], their_sums[t],
               their_states[t], std::tanh(their_sums[t]));
  }
  fmt::print(
      "  The article's sums belong to neither unit, and its \"tanh\" is not the tanh of them\n"
      "  (last column).\n\n");
  return absl::OkStatus();
}

absl::Status LstmExample() {
  // Rows: forget, input, candidate, output; columns: units.
  const std::vector<Argument> arguments = {
      {"x", {kSteps}, {1, 2, 3, 4, 5}},
      {"w", {4, kUnits}, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8}},
      {"u", {4, kUnits}, {0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6}},
      {"b", {4, 1}, {0.17, 0.18, 0.19, 0.20}}};
  Graph g("lstm", DType::kF64);
  const auto in = Inputs(g, arguments);
  const Tensor x = in[0], w = in[1], u = in[2], b = in[3];
  Tensor h = zeros_like(At(w, 0)), c = h;
  std::vector<Tensor> sums, states, cells;
  for (int64_t t = 0; t < kSteps; ++t) {
    const Tensor z = w * At(x, t) + u * h + b;
    const Tensor forget = sigmoid(At(z, 0)), input = sigmoid(At(z, 1));
    const Tensor candidate = tanh(At(z, 2)), output = sigmoid(At(z, 3));
    c = forget * c + input * candidate;
    h = output * tanh(c);
    sums.push_back(z);
    cells.push_back(c);
    states.push_back(h);
  }
  g.Output("first_sums", sums[0]);
  g.Output("cells", concat(std::vector<ir::Operand>(cells.begin(), cells.end()), 0));
  g.Output("states", concat(std::vector<ir::Operand>(states.begin(), states.end()), 0));
  const auto values = Compute(g, arguments);
  if (!values.ok()) return values.status();
  const Numbers &z = (*values)[0], &cell = (*values)[1], &s = (*values)[2];
  fmt::print("LSTM of two units over 1, 2, 3, 4, 5, sums at the first step (unit 1, unit 2)\n");
  const std::vector<std::string> gates = {"forget", "input", "candidate", "output"};
  for (size_t i = 0; i < gates.size(); ++i) {
    fmt::print("    {:9}  {:.2f}  {:.2f}\n", gates[i], z[2 * i], z[2 * i + 1]);
  }
  fmt::print("    x   unit 1:    c       h    unit 2:    c       h\n");
  for (size_t t = 0; t < kSteps; ++t) {
    fmt::print("    {}      {:8.4f}  {:6.4f}      {:8.4f}  {:6.4f}\n", t + 1, cell[2 * t], s[2 * t],
               cell[2 * t + 1], s[2 * t + 1]);
  }
  fmt::print(
      "  The article's first sums 0.27, 0.48, 0.69, 0.90 are right for unit 1. It then multiplies "
      "them\n"
      "  as they are, without sigmoid and tanh, and gives h as 0.5456 and 0.5596.\n");
  return absl::OkStatus();
}

}  // namespace

int main() {
  for (const auto& example : {ConvolutionExample, RecurrentExample, LstmExample}) {
    if (const absl::Status s = example(); !s.ok()) {
      fmt::print(stderr, "{}\n", std::string(s.message()));
      return 1;
    }
  }
  return 0;
}
