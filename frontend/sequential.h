#pragma once

// Models that are one layer after another.
//
//   Sequential net("digits", {kBatch, 784});
//   net.Add<Dense>(128, relu).Add<Dropout>(0.2).Add<Dense>(10, softmax);
//   Trainer trainer = Compile(net.model(), {.loss = sparse_categorical_crossentropy}).value();

#include "frontend/activations.h"
#include "frontend/model.h"

namespace gradus {

class Sequential {
 public:
  // One input, "x". Layers are named after their types: dense, dense_1, dropout, ...
  Sequential(std::string name, const Shape& input, DType dtype = DType::kF32,
             const std::source_location& where = std::source_location::current())
      : model_(std::move(name), dtype), last_(model_.Input("x", input, where)) {}
  // The same with an input of another dtype than the parameters', such as class numbers.
  Sequential(std::string name, const Shape& input, DType dtype, DType input_dtype,
             const std::source_location& where = std::source_location::current())
      : model_(std::move(name), dtype), last_(model_.Input("x", input, input_dtype, where)) {}

  template <typename L, typename... Args>
  Sequential& Add(Args&&... args) {
    return Then(model_.AddUnnamed<L>(std::forward<Args>(args)...));
  }
  // For layers of units with an activation; lets overloaded names such as tanh be given.
  template <typename L>
  Sequential& Add(int64_t units, Activation activation) {
    return Then(model_.AddUnnamed<L>(units, std::move(activation)));
  }
  // An activation, or any function of one tensor.
  Sequential& Add(const Activation& activation) {
    last_ = activation(last_);
    return *this;
  }

  // The model, whose output "y" is what the last layer gives. Nothing can be added after this.
  Model& model() {
    if (model_.forward().results().empty()) model_.Output("y", last_);
    return model_;
  }

 private:
  Sequential& Then(Layer& layer) {
    last_ = layer(last_);
    return *this;
  }
  Model model_;
  Tensor last_;
};

}  // namespace gradus
