#include "tools/bench/networks.h"

#include <array>
#include <string>

#include "frontend/attention.h"
#include "frontend/convolution_layers.h"
#include "frontend/layers.h"
#include "frontend/normalization.h"
#include "frontend/pooling_layers.h"
#include "frontend/recurrent.h"
#include "frontend/tensor.h"

namespace gradus::tools {
namespace {

constexpr int64_t kMonths = 34;  // of the utility's data that the article's detectors were made for

void Detector(Model& m, Tensor h) {
  h = m.Add<Dense>("hidden", 64, relu)(h);
  m.Output("y", m.Add<Dense>("out", 1, sigmoid)(h));
}

void SimpleRnn(Model& m, bool) {
  Detector(m, m.Add<SimpleRNN>("cell", 128)(m.Input("x", {kBatch, 12, kMonths})));
}

template <int64_t kSteps>
void Lstm(Model& m, bool) {
  Detector(m, m.Add<LSTM>("cell", 128)(m.Input("x", {kBatch, kSteps, kMonths})));
}

// Any number of leading axes.
Tensor Convolutions(Model& m, Tensor h) {
  for (const int64_t filters : {32, 64, 128, 256, 512}) {
    const std::string number = std::to_string(filters);
    h = m.Add<Conv1D>("conv" + number, filters, 3,
                      Conv1D::Options{.activation = relu, .padding = Padding::Same()})(h);
    h = m.Add<MaxPooling1D>("pool" + number, 1)(h);
  }
  return h;
}

template <int64_t kLength>
void Cnn(Model& m, bool) {
  const Tensor h = Convolutions(m, m.Input("x", {kBatch, kLength, 1}));
  Detector(m, m.Add<Flatten>("flat")(h));
}

void Hybrid(Model& m, bool) {
  Tensor h = Convolutions(m, m.Input("x", {kBatch, 1, kMonths, 1}));
  h = reshape(h, {kBatch, 1, kMonths * 512});
  h = m.Add<LSTM>("cell", 64)(h);
  m.Output("y", m.Add<Dense>("out", 1, sigmoid)(h));
}

void Mlp(Model& m, bool) {
  Tensor h = m.Add<Dense>("hidden1", 512, relu)(m.Input("x", {kBatch, 784}));
  h = m.Add<Dense>("hidden2", 512, relu)(h);
  m.Output("y", m.Add<Dense>("out", 10)(h));
}

void Tiny(Model& m, bool) {
  Tensor h = m.Add<Dense>("hidden1", 32, relu)(m.Input("x", {kBatch, 16}));
  h = m.Add<Dense>("hidden2", 32, relu)(h);
  m.Output("y", m.Add<Dense>("out", 1, sigmoid)(h));
}

void Lenet(Model& m, bool) {
  Tensor h = m.Input("x", {kBatch, 28, 28, 1});
  h = m.Add<Conv2D>("conv1", 6, 5,
                    Conv2D::Options{.activation = relu, .padding = Padding::Same()})(h);
  h = m.Add<MaxPooling2D>("pool1")(h);
  h = m.Add<Conv2D>("conv2", 16, 5, Conv2D::Options{.activation = relu})(h);
  h = m.Add<MaxPooling2D>("pool2")(h);
  h = m.Add<Dense>("hidden1", 120, relu)(m.Add<Flatten>("flat")(h));
  h = m.Add<Dense>("hidden2", 84, relu)(h);
  m.Output("y", m.Add<Dense>("out", 10)(h));
}

// ---- ResNet-18: He, Zhang, Ren and Sun 2016 ----

Tensor Convolution(Model& m, const std::string& name, Tensor h, int64_t filters, int64_t window,
                   int64_t stride) {
  const int64_t padding = window / 2;
  h = m.Add<Conv2D>(
      name, filters, window,
      Conv2D::Options{.strides = stride, .padding = Padding::Of(padding, padding), .bias = false})(
      h);
  return m.Add<BatchNorm>(name + "_norm")(h);
}

Tensor Block(Model& m, const std::string& name, Tensor x, int64_t filters, int64_t stride) {
  Tensor h = relu(Convolution(m, name + "_1", x, filters, 3, stride));
  h = Convolution(m, name + "_2", h, filters, 3, 1);
  const bool same = stride == 1 && x.shape()[3].size() == filters;
  return relu(h + (same ? x : Convolution(m, name + "_skip", x, filters, 1, stride)));
}

// Trained in the form for CIFAR-10, inferred in the form for ImageNet.
void Resnet18(Model& m, bool training) {
  const int64_t size = training ? 32 : 224;
  Tensor h = m.Input("x", {kBatch, size, size, 3});
  h = relu(Convolution(m, "stem", h, 64, training ? 3 : 7, training ? 1 : 2));
  if (!training) {
    h = m.Add<MaxPooling2D>("stem_pool", 3,
                            MaxPooling2D::Options{.strides = 2, .padding = Padding::Of(1, 1)})(h);
  }
  int64_t filters = 64;
  for (const char* stage : {"a", "b", "c", "d"}) {
    for (const char* block : {"1", "2"}) {
      const bool smaller = filters > 64 && *block == '1';
      h = Block(m, std::string(stage) + block, h, filters, smaller ? 2 : 1);
    }
    filters *= 2;
  }
  h = m.Add<GlobalAveragePooling2D>("pool")(h);
  m.Output("y", m.Add<Dense>("out", training ? 10 : 1000)(h));
}

// One block with the norms in front (Xiong et al. 2020); GELU in its exact form.
void Transformer(Model& m, bool) {
  constexpr int64_t kWidth = 256, kHeads = 4, kSteps = 128;
  const Tensor x = m.Input("x", {kBatch, kSteps, kWidth});
  const Tensor seen = m.Add<LayerNorm>("norm1")(x);
  Tensor h = x + m.Add<MultiHeadAttention>("attention", kHeads, kWidth / kHeads)(seen);
  Tensor wide = m.Add<Dense>("wide", 4 * kWidth)(m.Add<LayerNorm>("norm2")(h));
  m.Output("y", h + m.Add<Dense>("narrow", kWidth)(gelu(wide)));
}

constexpr auto kNetworks = std::to_array<Network>({
    {"rnn", "SimpleRNN(128) over [12, 34], 64, 1", 32, 32, SimpleRnn, TargetKind::kBinary},
    {"cnn34", "Conv1D 32, 64, 128, 256, 512 over [34, 1], 64, 1", 32, 32, Cnn<kMonths>,
     TargetKind::kBinary},
    {"cnn1035", "the same over [1035, 1]", 32, 32, Cnn<1035>, TargetKind::kBinary},
    {"lstm1", "LSTM(128) over [1, 34], 64, 1", 32, 32, Lstm<1>, TargetKind::kBinary},
    {"lstm100", "LSTM(128) over [100, 34], 64, 1", 32, 32, Lstm<100>, TargetKind::kBinary},
    {"hybrid", "the convolutions of cnn34, LSTM(64), 1", 16, 16, Hybrid, TargetKind::kBinary},
    {"mlp", "784-512-512-10", 32, 32, Mlp, TargetKind::kCategorical},
    {"tiny", "16-32-32-1", 32, 32, Tiny, TargetKind::kBinary},
    {"lenet", "two convolutions of 5x5 over [28, 28, 1], 120, 84, 10", 64, 64, Lenet,
     TargetKind::kCategorical},
    {"resnet18", "ResNet-18: trained on [32, 32, 3], inferred on [224, 224, 3]", 32, 1, Resnet18,
     TargetKind::kCategorical},
    {"transformer", "a block of width 256, 4 heads, over 128 steps", 8, 8, Transformer,
     TargetKind::kNumbers},
});

}  // namespace

std::span<const Network> Networks() { return kNetworks; }

const Network* FindNetwork(std::string_view name) {
  for (const Network& n : kNetworks) {
    if (n.name == name) return &n;
  }
  return nullptr;
}

std::unique_ptr<Model> BuildNetwork(const Network& network, bool training) {
  auto model = std::make_unique<Model>(std::string(network.name));
  network.build(*model, training);
  return model;
}

Loss LossOf(const Network& network) {
  if (network.targets == TargetKind::kBinary) return binary_crossentropy;
  if (network.targets == TargetKind::kCategorical) return categorical_crossentropy_from_logits;
  return mean_squared_error;
}

}  // namespace gradus::tools
