#include "frontend/layers.h"

#include "fmt/format.h"

namespace gradus {

Dense::Dense(Model& model, std::string name, int64_t units, Activation activation)
    : Dense(model, std::move(name), units, Options{.activation = std::move(activation)}) {}

Dense::Dense(Model& model, std::string name, int64_t units, Options options)
    : Layer(model, std::move(name), "dense"), units_(units), options_(std::move(options)) {}

Tensor Dense::Call(Operand x) {
  const Tensor input = x.value();
  if (units_ < 1) return Fail(x, fmt::format("has {} units, expected at least 1", units_));
  if (input.rank() < 1 || input.shape()[input.rank() - 1].is_symbol()) {
    return Fail(x,
                fmt::format("takes [..., features] with a fixed number of features, got {}",
                            ir::ToString(input.type())),
                "the last axis becomes a row of the kernel, so its size must be a number");
  }
  const Dim features = input.shape()[input.rank() - 1];
  const Tensor kernel = Parameter("kernel", {features, units_}, options_.kernel_initializer);
  if (input.rank() == 1) x = Operand(reshape(x, {Dim(1), features}), x.where());
  Tensor y = matmul(x, kernel, MatmulOptions{});
  if (options_.bias)
    y = add(Operand(y, x.where()), Parameter("bias", {units_}, options_.bias_initializer));
  y = options_.activation(Operand(y, x.where()));
  return input.rank() == 1 && y && !y.is_poison() ? reshape(y, {units_}) : y;
}

ActivationLayer::ActivationLayer(Model& model, std::string name, Activation activation)
    : Layer(model, std::move(name), activation.name()), activation_(std::move(activation)) {}

Tensor ActivationLayer::Call(Operand x) { return activation_(x); }

PReLU::PReLU(Model& model, std::string name, Initializer initializer)
    : Layer(model, std::move(name), "prelu"), initializer_(std::move(initializer)) {}

Tensor PReLU::Apply(Operand x, int leading) {
  Shape shape;
  const Shape input = x.value().shape();
  for (int i = leading; i < input.rank(); ++i) shape.push_back(input[i]);
  return prelu(x, Parameter("alpha", shape, initializer_));
}

Flatten::Flatten(Model& model, std::string name) : Layer(model, std::move(name), "flatten") {}

Tensor Flatten::Apply(Operand x, int leading) {
  const Shape input = x.value().shape();
  if (input.rank() < leading) return Fail(x, "takes [batch, ...], got a scalar");
  int64_t features = 1;
  for (int i = leading; i < input.rank(); ++i) {
    if (input[i].is_symbol()) {
      return Fail(x, fmt::format("takes fixed sizes after the batch, got {}", ir::ToString(input)));
    }
    features *= input[i].size();
  }
  Shape shape(input.dims().first(static_cast<size_t>(leading)));
  shape.push_back(features);
  return reshape(x, shape);
}

Reshape::Reshape(Model& model, std::string name, std::vector<int64_t> sizes)
    : Layer(model, std::move(name), "reshape"), sizes_(std::move(sizes)) {}

Tensor Reshape::Apply(Operand x, int leading) {
  if (x.value().rank() < leading) return Fail(x, "takes [batch, ...], got a scalar");
  Shape shape(x.value().shape().dims().first(static_cast<size_t>(leading)));
  for (const int64_t size : sizes_) shape.push_back(size);
  return reshape(x, shape);
}

Permute::Permute(Model& model, std::string name, std::vector<int64_t> axes)
    : Layer(model, std::move(name), "permute"), axes_(std::move(axes)) {}

Tensor Permute::Apply(Operand x, int leading) {
  Axes permutation;
  for (int axis = 0; axis < leading; ++axis) permutation.push_back(axis);
  for (const int64_t axis : axes_) permutation.push_back(axis + leading - 1);
  return transpose(x, permutation);
}

Lambda::Lambda(Model& model, std::string name, Function function)
    : Layer(model, std::move(name), "lambda"), function_(std::move(function)) {}

Tensor Lambda::Call(Operand x) { return function_(x); }

}  // namespace gradus
