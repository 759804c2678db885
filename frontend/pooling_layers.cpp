#include "frontend/pooling_layers.h"

#include "fmt/format.h"
#include "frontend/sliding.h"

namespace gradus {

PoolingLayer::PoolingLayer(Model& model, std::string name, std::string type, int axes, Kind kind,
                           PerAxis window, Options options)
    : Layer(model, std::move(name), std::move(type)),
      axes_(axes),
      kind_(kind),
      window_(std::move(window)),
      options_(std::move(options)) {}

Tensor PoolingLayer::Call(Operand x) {
  Sliding s;
  const std::string why =
      MakeSliding(x.value().type(), axes_, window_, options_.strides.value_or(window_),
                  options_.dilation, options_.padding, &s);
  if (!why.empty()) return Fail(x, why);
  const PoolingOptions pooling{.window = s.window,
                               .strides = s.strides,
                               .low = s.low,
                               .high = s.high,
                               .dilation = s.dilation,
                               .ceil_mode = options_.ceil_mode};
  return kind_ == Kind::kMax ? max_pool(x, pooling)
                             : average_pool(x, pooling, options_.count_padding);
}

Tensor PoolingLayer::CallOnSteps(Operand x) {
  const std::string why = WhyNotOnSteps(x.value().type(), axes_);
  return why.empty() ? Call(x) : Fail(x, why);
}

GlobalPoolingLayer::GlobalPoolingLayer(Model& model, std::string name, std::string type, int axes,
                                       Reduce reduce, bool keep_dims)
    : Layer(model, std::move(name), std::move(type)),
      axes_(axes),
      reduce_(reduce),
      keep_dims_(keep_dims) {}

Tensor GlobalPoolingLayer::Call(Operand x) {
  const int rank = x.value().rank();
  if (rank < axes_ + 1) {
    return Fail(x, fmt::format("takes [..., {} spatial {}, channels], got {}", axes_,
                               axes_ == 1 ? "axis" : "axes", ir::ToString(x.value().type())));
  }
  Axes spatial;
  for (int i = rank - 1 - axes_; i < rank - 1; ++i) spatial.push_back(i);
  return reduce_(x, spatial, keep_dims_);
}

Tensor GlobalPoolingLayer::CallOnSteps(Operand x) {
  const std::string why = WhyNotOnSteps(x.value().type(), axes_);
  return why.empty() ? Call(x) : Fail(x, why);
}

}  // namespace gradus
