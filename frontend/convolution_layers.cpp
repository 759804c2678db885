#include "frontend/convolution_layers.h"

#include <algorithm>

#include "fmt/format.h"
#include "frontend/sliding.h"

namespace gradus {

std::vector<int64_t> PerAxis::On(int axes) const {
  const auto n = static_cast<size_t>(axes);
  if (each_.empty()) return std::vector<int64_t>(n, all_);
  return each_.size() == n ? each_ : std::vector<int64_t>();
}

namespace {

// Why a layer with these numbers cannot take x, or an empty text.
std::string WhyNot(const Type& x, std::string_view what, int64_t outputs) {
  if (outputs < 1) return fmt::format("has {} {}, expected at least 1", outputs, what);
  if (!x.shape[x.rank() - 1].is_symbol()) return {};
  return fmt::format("takes a fixed number of channels, got {}", ir::ToString(x));
}

// Adds the bias, of which `make` makes the parameter, and applies the activation.
template <typename Options, typename Make>
Tensor Finish(Tensor y, const Operand& x, const Options& options, Make make) {
  if (!y || y.is_poison()) return y;
  if (options.bias) y = add(Operand(y, x.where()), make(Shape{y.shape()[y.rank() - 1]}));
  return options.activation(Operand(y, x.where()));
}

}  // namespace

ConvolutionLayer::ConvolutionLayer(Model& model, std::string name, std::string type, int axes,
                                   int64_t filters, PerAxis window, Options options)
    : Layer(model, std::move(name), std::move(type)),
      axes_(axes),
      filters_(filters),
      window_(std::move(window)),
      options_(std::move(options)) {}

Tensor ConvolutionLayer::Call(Operand x) {
  const Type& type = x.value().type();
  Sliding s;
  std::string why =
      MakeSliding(type, axes_, window_, options_.strides, options_.dilation, options_.padding, &s);
  if (why.empty()) why = WhyNot(type, "filters", filters_);
  if (!why.empty()) return Fail(x, why);
  const int64_t in = type.shape[type.rank() - 1].size();
  if (options_.groups < 1 || in % options_.groups != 0 || filters_ % options_.groups != 0) {
    return Fail(x, fmt::format("has {} groups, which do not divide {} channels and {} filters",
                               options_.groups, in, filters_));
  }
  Shape shape;
  for (const int64_t n : s.window) shape.push_back(n);
  shape.push_back(in / options_.groups);
  shape.push_back(filters_);
  const Tensor kernel = Parameter("kernel", shape, options_.kernel_initializer);
  const Tensor y = convolution(x, kernel,
                               {.strides = s.strides,
                                .low = s.low,
                                .high = s.high,
                                .kernel_dilation = s.dilation,
                                .groups = options_.groups});
  return Finish(y, x, options_, [&](const Shape& bias) {
    return Parameter("bias", bias, options_.bias_initializer);
  });
}

Tensor ConvolutionLayer::CallOnSteps(Operand x) {
  const std::string why = WhyNotOnSteps(x.value().type(), axes_);
  return why.empty() ? Call(x) : Fail(x, why);
}

TransposedConvolutionLayer::TransposedConvolutionLayer(Model& model, std::string name,
                                                       std::string type, int axes, int64_t filters,
                                                       PerAxis window, Options options)
    : Layer(model, std::move(name), std::move(type)),
      axes_(axes),
      filters_(filters),
      window_(std::move(window)),
      options_(std::move(options)) {}

Tensor TransposedConvolutionLayer::Call(Operand x) {
  const Type& type = x.value().type();
  const Padding given = options_.padding.is_same() ? Padding::Valid() : options_.padding;
  Sliding s;
  std::string why =
      MakeSliding(type, axes_, window_, options_.strides, options_.dilation, given, &s);
  if (why.empty()) why = WhyNot(type, "filters", filters_);
  std::vector<int64_t> extra(static_cast<size_t>(axes_), 0);
  if (options_.output_padding) extra = options_.output_padding->On(axes_);
  if (why.empty() && extra.empty()) why = fmt::format("has not {} output paddings", axes_);
  if (!why.empty()) return Fail(x, why);
  for (size_t i = 0; i < extra.size(); ++i) {
    if (extra[i] < 0 || (options_.output_padding && extra[i] >= s.strides[i])) {
      return Fail(x, fmt::format("has an output padding of {}, expected 0 to {}", extra[i],
                                 s.strides[i] - 1));
    }
    const int64_t reach = (s.window[i] - 1) * s.dilation[i] + 1;
    if (options_.padding.is_same()) {
      // As much is cut off as a convolution with `same` padding to n positions would have padded.
      int64_t cut = reach - s.strides[i];
      if (options_.output_padding) cut = 2 * (reach / 2) - extra[i];
      extra[i] = std::max<int64_t>(-cut, 0);
      cut = std::max<int64_t>(cut, 0);
      s.low[i] = cut / 2;
      s.high[i] = cut - cut / 2;
    } else if (options_.padding.is_valid() && !options_.output_padding) {
      extra[i] = std::max<int64_t>(s.strides[i] - reach, 0);
    }
  }
  Shape shape;
  for (const int64_t n : s.window) shape.push_back(n);
  shape.push_back(filters_);
  shape.push_back(type.shape[type.rank() - 1]);
  const Tensor kernel = Parameter("kernel", shape, options_.kernel_initializer);
  const Tensor y = transposed_convolution(
      x, kernel,
      {.strides = s.strides, .low = s.low, .high = s.high, .kernel_dilation = s.dilation}, extra);
  return Finish(y, x, options_, [&](const Shape& bias) {
    return Parameter("bias", bias, options_.bias_initializer);
  });
}

Tensor TransposedConvolutionLayer::CallOnSteps(Operand x) {
  const std::string why = WhyNotOnSteps(x.value().type(), axes_);
  return why.empty() ? Call(x) : Fail(x, why);
}

DepthwiseConvolutionLayer::DepthwiseConvolutionLayer(Model& model, std::string name,
                                                     std::string type, int axes, PerAxis window,
                                                     int64_t multiplier, Options options)
    : Layer(model, std::move(name), std::move(type)),
      axes_(axes),
      window_(std::move(window)),
      multiplier_(multiplier),
      options_(std::move(options)) {}

Tensor DepthwiseConvolutionLayer::Call(Operand x) {
  const Type& type = x.value().type();
  Sliding s;
  std::string why =
      MakeSliding(type, axes_, window_, options_.strides, options_.dilation, options_.padding, &s);
  if (why.empty()) why = WhyNot(type, "times its channels", multiplier_);
  if (!why.empty()) return Fail(x, why);
  const int64_t in = type.shape[type.rank() - 1].size();
  Shape shape, in_groups;
  for (const int64_t n : s.window) {
    shape.push_back(n);
    in_groups.push_back(n);
  }
  shape.push_back(in);
  shape.push_back(multiplier_);
  in_groups.push_back(1);
  in_groups.push_back(in * multiplier_);
  const Tensor kernel = Parameter("kernel", shape, options_.kernel_initializer);
  const Tensor y = convolution(x, reshape(kernel, in_groups),
                               {.strides = s.strides,
                                .low = s.low,
                                .high = s.high,
                                .kernel_dilation = s.dilation,
                                .groups = in});
  return Finish(y, x, options_, [&](const Shape& bias) {
    return Parameter("bias", bias, options_.bias_initializer);
  });
}

Tensor DepthwiseConvolutionLayer::CallOnSteps(Operand x) {
  const std::string why = WhyNotOnSteps(x.value().type(), axes_);
  return why.empty() ? Call(x) : Fail(x, why);
}

}  // namespace gradus
