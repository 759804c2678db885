#pragma once

// Pooling layers, channels last: [leading..., spatial..., channels]. Names and defaults are those
// of Keras.

#include "frontend/convolution_layers.h"

namespace gradus {

struct PoolingLayerOptions {
  std::optional<PerAxis> strides;  // the window
  Padding padding = Padding::Valid();
  PerAxis dilation = 1;
  bool ceil_mode = false;      // positions rounded up; see ir/ops/pooling.h
  bool count_padding = false;  // whether averages count padding as zeros
};

// The largest element, or the mean, of each window: [..., spatial..., channels] -> [...,
// positions..., channels]. Padding is never the largest.
class PoolingLayer : public Layer {
 public:
  using Options = PoolingLayerOptions;

 protected:
  enum class Kind : uint8_t { kMax, kAverage };
  PoolingLayer(Model& model, std::string name, std::string type, int axes, Kind kind,
               PerAxis window, Options options);
  Tensor Call(Operand x) override;
  Tensor CallOnSteps(Operand x) override;

 private:
  int axes_;
  Kind kind_;
  PerAxis window_;
  Options options_;
};

class MaxPooling1D : public PoolingLayer {
 public:
  MaxPooling1D(Model& model, std::string name, PerAxis window = 2, Options options = {})
      : PoolingLayer(model, std::move(name), "max_pooling1d", 1, Kind::kMax, std::move(window),
                     std::move(options)) {}
};
class MaxPooling2D : public PoolingLayer {
 public:
  MaxPooling2D(Model& model, std::string name, PerAxis window = 2, Options options = {})
      : PoolingLayer(model, std::move(name), "max_pooling2d", 2, Kind::kMax, std::move(window),
                     std::move(options)) {}
};
class AveragePooling1D : public PoolingLayer {
 public:
  AveragePooling1D(Model& model, std::string name, PerAxis window = 2, Options options = {})
      : PoolingLayer(model, std::move(name), "average_pooling1d", 1, Kind::kAverage,
                     std::move(window), std::move(options)) {}
};
class AveragePooling2D : public PoolingLayer {
 public:
  AveragePooling2D(Model& model, std::string name, PerAxis window = 2, Options options = {})
      : PoolingLayer(model, std::move(name), "average_pooling2d", 2, Kind::kAverage,
                     std::move(window), std::move(options)) {}
};

// The largest element, or the mean, of each channel: [..., spatial..., channels] -> [...,
// channels], or with `keep_dims` sizes of 1 in between. Equal maxima share the gradient.
class GlobalPoolingLayer : public Layer {
 protected:
  using Reduce = Tensor (*)(Operand x, Axes axes, bool keep_dims);
  GlobalPoolingLayer(Model& model, std::string name, std::string type, int axes, Reduce reduce,
                     bool keep_dims);
  Tensor Call(Operand x) override;
  Tensor CallOnSteps(Operand x) override;

 private:
  int axes_;
  Reduce reduce_;
  bool keep_dims_;
};

class GlobalMaxPooling1D : public GlobalPoolingLayer {
 public:
  GlobalMaxPooling1D(Model& model, std::string name, bool keep_dims = false)
      : GlobalPoolingLayer(model, std::move(name), "global_max_pooling1d", 1, reduce_max,
                           keep_dims) {}
};
class GlobalMaxPooling2D : public GlobalPoolingLayer {
 public:
  GlobalMaxPooling2D(Model& model, std::string name, bool keep_dims = false)
      : GlobalPoolingLayer(model, std::move(name), "global_max_pooling2d", 2, reduce_max,
                           keep_dims) {}
};
class GlobalAveragePooling1D : public GlobalPoolingLayer {
 public:
  GlobalAveragePooling1D(Model& model, std::string name, bool keep_dims = false)
      : GlobalPoolingLayer(model, std::move(name), "global_average_pooling1d", 1, reduce_mean,
                           keep_dims) {}
};
class GlobalAveragePooling2D : public GlobalPoolingLayer {
 public:
  GlobalAveragePooling2D(Model& model, std::string name, bool keep_dims = false)
      : GlobalPoolingLayer(model, std::move(name), "global_average_pooling2d", 2, reduce_mean,
                           keep_dims) {}
};

}  // namespace gradus
