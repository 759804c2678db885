#include "examples/mnist/networks.h"

#include <array>

#include "examples/mnist/glyphs.h"
#include "frontend/convolution_layers.h"
#include "frontend/layers.h"
#include "frontend/pooling_layers.h"

namespace gradus::mnist {
namespace {

void BuildMlp(Model& m) {
  const Tensor x = m.Input("x", {kBatch, kSide, kSide, 1});
  Tensor h = m.Add<Flatten>("pixels")(x);
  h = m.Add<Dense>("hidden", 128, relu)(h);
  m.Output("digit", m.Add<Dense>("out", kClasses)(h));
}

// LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998) as it is built today: relu, maxima instead of
// averages, each filter of the second convolution sees all of the first, and softmax at the end
// (in the loss).
void BuildLeNet(Model& m) {
  const Tensor x = m.Input("x", {kBatch, kSide, kSide, 1});
  Tensor h = m.Add<Conv2D>("conv_1", 6, 5,
                           Conv2D::Options{.activation = relu, .padding = Padding::Same()})(x);
  h = m.Add<MaxPooling2D>("pool_1")(h);
  h = m.Add<Conv2D>("conv_2", 16, 5, Conv2D::Options{.activation = relu})(h);
  h = m.Add<MaxPooling2D>("pool_2")(h);
  h = m.Add<Flatten>("features")(h);
  h = m.Add<Dense>("hidden_1", 120, relu)(h);
  h = m.Add<Dense>("hidden_2", 84, relu)(h);
  m.Output("digit", m.Add<Dense>("out", kClasses)(h));
}

constexpr std::array<Network, 2> kNetworks = {{
    {"mlp", "Dense(128, relu), Dense(10)", 5, 64, BuildMlp},
    {"lenet", "two convolutions, Dense(120), Dense(84), Dense(10)", 10, 64, BuildLeNet},
}};

}  // namespace

std::span<const Network> Networks() { return kNetworks; }

}  // namespace gradus::mnist
