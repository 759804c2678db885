// Cases of convolutions and poolings, and the seed models with convolutions. The single cases
// are channels first, [N, C, spatial...], and their kernels [out, in / groups, window...].

#include <array>

#include "fmt/format.h"
#include "frontend/recurrent.h"
#include "tests/refs/models.h"

namespace gradus::refs {
namespace {

// The numbers of `"name":2` or `"name":[2,1]`; one number stands for all axes.
std::vector<int64_t> NumbersOf(const CaseGraph& c, std::string_view name, int axes) {
  const std::string& text = c.reference.text;
  const std::string marker = fmt::format("\"{}\":", name);
  size_t at = text.find(marker);
  std::vector<int64_t> numbers;
  if (at == std::string::npos) return numbers;
  at += marker.size();
  if (text[at] != '[') {
    numbers.assign(static_cast<size_t>(axes), std::stoll(text.substr(at, 12)));
    return numbers;
  }
  while (text[at] == '[' || text[at] == ',') {
    size_t digits = 0;
    numbers.push_back(std::stoll(text.substr(at + 1, 12), &digits));
    at += 1 + digits;
  }
  return numbers;
}

// [N, C, spatial...] as [N, spatial..., C], and back.
Tensor ChannelsLast(Tensor x) {
  Axes axes = {0};
  for (int i = 2; i < x.rank(); ++i) axes.push_back(i);
  axes.push_back(1);
  return transpose(x, axes);
}
Tensor ChannelsFirst(Tensor x) {
  Axes axes = {0, x.rank() - 1};
  for (int i = 1; i + 1 < x.rank(); ++i) axes.push_back(i);
  return transpose(x, axes);
}

absl::Status Finish(CaseGraph& c, Tensor y) {
  c.Output("y", y);
  c.loss = reduce_mean(square(tanh(y)));
  return absl::OkStatus();
}

absl::Status Convolve(CaseGraph& c, bool transposed) {
  const Tensor w = c.param("W");
  const int axes = w.rank() - 2;
  ConvolutionOptions o{.strides = NumbersOf(c, "stride", axes),
                       .low = NumbersOf(c, "padding", axes),
                       .kernel_dilation = NumbersOf(c, "dilation", axes)};
  o.high = o.low;
  const std::vector<int64_t> groups = NumbersOf(c, "groups", 1);
  if (o.strides.empty() || o.low.empty() || o.kernel_dilation.empty() || groups.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: the case does not state its options", c.reference.name));
  }
  o.groups = groups[0];
  Axes order;  // the window first; then [in / groups, out], or [out / groups, in]
  for (int i = 0; i < axes; ++i) order.push_back(i + 2);
  order.insert(order.end(), {1, 0});
  const Tensor x = ChannelsLast(c.in("x")), kernel = transpose(w, order);
  const Tensor y = transposed
                       ? transposed_convolution(x, kernel, o, NumbersOf(c, "output_padding", axes))
                       : convolution(x, kernel, o);
  return Finish(c, ChannelsFirst(y + c.param("b")));
}
absl::Status Convolution(CaseGraph& c) { return Convolve(c, false); }
absl::Status TransposedConvolution(CaseGraph& c) { return Convolve(c, true); }

// "max pool 3x3 stride 2 pad 1 (-inf)", "average pool 3 stride 2", "max pool, window 1".
absl::Status Pool(CaseGraph& c, bool maximum) {
  const std::string& text = c.reference.text;
  const Tensor x = ChannelsLast(c.in("x") * c.param("scale"));
  const auto axes = static_cast<size_t>(x.rank() - 2);
  const auto number = [&](std::initializer_list<const char*> markers, double otherwise) {
    for (const char* marker : markers) {
      if (const auto n = NumberAfter(text, marker)) return std::vector(axes, int64_t(*n));
    }
    return std::vector(axes, static_cast<int64_t>(otherwise));
  };
  PoolingOptions o;
  o.window = number({"window ", "pool "}, 0);
  if (o.window[0] < 1) {
    return absl::InvalidArgumentError(
        fmt::format("{}: the case does not state its window", c.reference.name));
  }
  o.strides = number({"stride ", " s"}, static_cast<double>(o.window[0]));
  o.low = o.high = number({" pad "}, 0);
  o.dilation = number({"dilation "}, 1);
  o.ceil_mode = text.find("ceil mode") != std::string::npos;
  const bool counted = text.find("padding counted") != std::string::npos;
  return Finish(c, ChannelsFirst(maximum ? max_pool(x, o) : average_pool(x, o, counted)));
}
absl::Status MaxPool(CaseGraph& c) { return Pool(c, true); }
absl::Status AveragePool(CaseGraph& c) { return Pool(c, false); }

template <typename Reduce>
absl::Status GlobalPool(CaseGraph& c, Reduce reduce) {
  const Tensor x = c.in("x") * c.param("scale");
  Axes spatial;
  for (int i = 2; i < x.rank(); ++i) spatial.push_back(i);
  return Finish(c, reduce(x, spatial));
}

// Conv1D (same, relu) blocks with parameters Wc1, bc1, ...; MaxPooling1D(1) after each is the
// identity, and is written as in the model.
Tensor Blocks(const CaseGraph& c, Tensor x) {
  for (int i = 1; c.tensors.contains(fmt::format("param.Wc{}", i)); ++i) {
    const Tensor w = c.param(fmt::format("Wc{}", i));
    const int64_t reach = w.shape()[0].size() - 1;
    x = relu(convolution(x, w, {.low = {reach / 2}, .high = {reach - reach / 2}}) +
             c.param(fmt::format("bc{}", i)));
    x = max_pool(x, {.window = {1}});
  }
  return x;
}

absl::Status SeedCnn(CaseGraph& c) {
  const Tensor x = Blocks(c, c.in("x"));
  const Tensor flat = reshape(x, {x.shape()[0], x.shape()[1].size() * x.shape()[2].size()});
  const Tensor hidden = relu(matmul(flat, c.param("W1")) + c.param("b1"));
  const Tensor y = sigmoid(matmul(hidden, c.param("W2")) + c.param("b2"));
  c.Output("flat", flat);
  c.Output("y", y);
  c.loss = binary_crossentropy(c.in("target"), y);
  return absl::OkStatus();
}

// The blocks and Flatten at each step of [batch, time, 12, 1], then an LSTM.
absl::Status SeedHybrid(CaseGraph& c) {
  const Tensor x = Blocks(c, c.in("x"));
  const Shape& s = x.shape();
  const Tensor flat = reshape(x, {s[0], s[1], s[2].size() * s[3].size()});
  const Tensor last = lstm(flat, {c.param("kernel"), c.param("recurrent"), c.param("bias")}).output;
  const Tensor y = sigmoid(matmul(last, c.param("Wo")) + c.param("bo"));
  c.Output("lstm", last);
  c.Output("y", y);
  c.loss = binary_crossentropy(c.in("target"), y);
  return absl::OkStatus();
}

constexpr auto kModels = std::to_array<NamedModel>({
    {"conv1d_dilated", Convolution},
    {"conv1d_groups", Convolution},
    {"conv1d_k1", Convolution},
    {"conv1d_pad1", Convolution},
    {"conv1d_stride2_pad2", Convolution},
    {"conv1d_valid", Convolution},
    {"conv2d_asym_stride_dilation", Convolution},
    {"conv2d_depthwise", Convolution},
    {"conv2d_groups", Convolution},
    {"conv2d_pad1_stride2", Convolution},
    {"conv2d_rect_kernel", Convolution},
    {"conv2d_valid", Convolution},
    {"convtranspose1d_stride2", TransposedConvolution},
    {"convtranspose2d_groups", TransposedConvolution},
    {"convtranspose2d_stride2_outpad", TransposedConvolution},
    {"avgpool1d_k3_s2", AveragePool},
    {"avgpool2d_k3_pad1_excl", AveragePool},
    {"avgpool2d_k3_pad1_incl", AveragePool},
    {"maxpool1d_k1", MaxPool},
    {"maxpool1d_k2_ceil", MaxPool},
    {"maxpool1d_k3_s2", MaxPool},
    {"maxpool2d_dilated", MaxPool},
    {"maxpool2d_k2", MaxPool},
    {"maxpool2d_k3_s2_pad1", MaxPool},
    {"global_avgpool2d",
     [](CaseGraph& c) {
       return GlobalPool(c, [](Tensor x, const Axes& axes) { return reduce_mean(x, axes); });
     }},
    {"global_maxpool1d",
     [](CaseGraph& c) {
       return GlobalPool(c, [](Tensor x, const Axes& axes) { return reduce_max(x, axes); });
     }},
    {"seed_cnn1d", SeedCnn},
    {"seed_timedistributed_cnn_lstm", SeedHybrid},
    {"seed_timedistributed_two_steps", SeedHybrid},
});

}  // namespace

std::span<const NamedModel> ConvolutionModels() { return kModels; }

}  // namespace gradus::refs
