#pragma once

// Layers that slide along spatial axes, channels last: [leading..., spatial..., channels], where
// the batch is the first leading axis and there may be more (time). Names, defaults and initial
// values are those of Keras.

#include <initializer_list>
#include <optional>
#include <vector>

#include "frontend/model.h"

namespace gradus {

// A number for each spatial axis: PerAxis(2) the same for all, PerAxis{3, 1} each its own.
class PerAxis {
 public:
  PerAxis(int64_t all) : all_(all) {}  // NOLINT: sizes are mostly numbers
  PerAxis(int all) : all_(all) {}      // NOLINT
  PerAxis(std::initializer_list<int64_t> each) : each_(each) {}
  // Empty if there are other than `axes` numbers.
  std::vector<int64_t> On(int axes) const;

 private:
  int64_t all_ = 0;
  std::vector<int64_t> each_;
};

// What stands around the input: nothing; zeros so that strides alone make the output smaller (one
// more after than before if they are odd); or so many before and after.
class Padding {
 public:
  static Padding Valid() { return Padding(Kind::kValid, 0, 0); }
  static Padding Same() { return Padding(Kind::kSame, 0, 0); }
  static Padding Of(PerAxis low, PerAxis high) {
    return Padding(Kind::kOf, std::move(low), std::move(high));
  }
  bool is_same() const { return kind_ == Kind::kSame; }
  bool is_valid() const { return kind_ == Kind::kValid; }
  const PerAxis& low() const { return low_; }
  const PerAxis& high() const { return high_; }

 private:
  enum class Kind : uint8_t { kValid, kSame, kOf };
  Padding(Kind kind, PerAxis low, PerAxis high)
      : kind_(kind), low_(std::move(low)), high_(std::move(high)) {}
  Kind kind_;
  PerAxis low_, high_;
};

struct ConvolutionLayerOptions {
  Activation activation = linear;
  PerAxis strides = 1;
  Padding padding = Padding::Valid();
  PerAxis dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  Initializer kernel_initializer = GlorotUniform();
  Initializer bias_initializer = Zeros();
};

// y = activation(convolution(x, kernel) + bias): [..., spatial..., in] -> [..., positions...,
// filters]. Parameters kernel [window..., in / groups, filters] and bias [filters].
class ConvolutionLayer : public Layer {
 public:
  using Options = ConvolutionLayerOptions;

 protected:
  ConvolutionLayer(Model& model, std::string name, std::string type, int axes, int64_t filters,
                   PerAxis window, Options options);
  Tensor Call(Operand x) override;
  Tensor CallOnSteps(Operand x) override;

 private:
  int axes_;
  int64_t filters_;
  PerAxis window_;
  Options options_;
};

class Conv1D : public ConvolutionLayer {
 public:
  Conv1D(Model& model, std::string name, int64_t filters, PerAxis window, Options options = {})
      : ConvolutionLayer(model, std::move(name), "conv1d", 1, filters, std::move(window),
                         std::move(options)) {}
};
class Conv2D : public ConvolutionLayer {
 public:
  Conv2D(Model& model, std::string name, int64_t filters, PerAxis window, Options options = {})
      : ConvolutionLayer(model, std::move(name), "conv2d", 2, filters, std::move(window),
                         std::move(options)) {}
};
class Conv3D : public ConvolutionLayer {
 public:
  Conv3D(Model& model, std::string name, int64_t filters, PerAxis window, Options options = {})
      : ConvolutionLayer(model, std::move(name), "conv3d", 3, filters, std::move(window),
                         std::move(options)) {}
};

// The input's gradient of a convolution, as a layer: strides make the output larger. [..., n, in]
// -> [..., n * stride, filters] with `same` padding, (n - 1) * stride + window, but at least n *
// stride, with `valid`. Parameters kernel [window..., filters, in] and bias [filters]. No groups.
struct TransposedConvolutionLayerOptions {
  Activation activation = linear;
  PerAxis strides = 1;
  Padding padding = Padding::Valid();
  PerAxis dilation = 1;
  // Elements more at the end than the least that is possible: fixes which of the sizes that a
  // convolution would bring to n is meant. With it, `same` cuts window / 2 off on both sides.
  std::optional<PerAxis> output_padding;
  bool bias = true;
  Initializer kernel_initializer = GlorotUniform();
  Initializer bias_initializer = Zeros();
};
class TransposedConvolutionLayer : public Layer {
 public:
  using Options = TransposedConvolutionLayerOptions;

 protected:
  TransposedConvolutionLayer(Model& model, std::string name, std::string type, int axes,
                             int64_t filters, PerAxis window, Options options);
  Tensor Call(Operand x) override;
  Tensor CallOnSteps(Operand x) override;

 private:
  int axes_;
  int64_t filters_;
  PerAxis window_;
  Options options_;
};

class Conv1DTranspose : public TransposedConvolutionLayer {
 public:
  Conv1DTranspose(Model& model, std::string name, int64_t filters, PerAxis window,
                  Options options = {})
      : TransposedConvolutionLayer(model, std::move(name), "conv1d_transpose", 1, filters,
                                   std::move(window), std::move(options)) {}
};
class Conv2DTranspose : public TransposedConvolutionLayer {
 public:
  Conv2DTranspose(Model& model, std::string name, int64_t filters, PerAxis window,
                  Options options = {})
      : TransposedConvolutionLayer(model, std::move(name), "conv2d_transpose", 2, filters,
                                   std::move(window), std::move(options)) {}
};

// Each channel by itself: [..., spatial..., in] -> [..., positions..., in * multiplier]. Parameters
// kernel [window..., in, multiplier] and bias [in * multiplier]. `groups` is not used.
class DepthwiseConvolutionLayer : public Layer {
 public:
  using Options = ConvolutionLayerOptions;

 protected:
  DepthwiseConvolutionLayer(Model& model, std::string name, std::string type, int axes,
                            PerAxis window, int64_t multiplier, Options options);
  Tensor Call(Operand x) override;
  Tensor CallOnSteps(Operand x) override;

 private:
  int axes_;
  PerAxis window_;
  int64_t multiplier_;
  Options options_;
};

class DepthwiseConv1D : public DepthwiseConvolutionLayer {
 public:
  DepthwiseConv1D(Model& model, std::string name, PerAxis window, int64_t multiplier = 1,
                  Options options = {})
      : DepthwiseConvolutionLayer(model, std::move(name), "depthwise_conv1d", 1, std::move(window),
                                  multiplier, std::move(options)) {}
};
class DepthwiseConv2D : public DepthwiseConvolutionLayer {
 public:
  DepthwiseConv2D(Model& model, std::string name, PerAxis window, int64_t multiplier = 1,
                  Options options = {})
      : DepthwiseConvolutionLayer(model, std::move(name), "depthwise_conv2d", 2, std::move(window),
                                  multiplier, std::move(options)) {}
};

}  // namespace gradus
