#pragma once

// A Model: inputs, layers with named parameters, outputs. Building it writes one graph function,
// @forward.
//
//   Model m("theft");
//   Tensor x = m.Input("x", {kBatch, 12});
//   Tensor h = m.Add<Dense>("hidden", 64, relu)(x);
//   m.Output("p", m.Add<Dense>("out", 1, sigmoid)(h));

#include <memory>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "frontend/activations.h"
#include "frontend/initializers.h"
#include "frontend/tensor.h"
#include "ir/module.h"

namespace gradus {

class Model;

// A function of tensors with parameters of its own, which it makes when it is first called: their
// shapes follow from the input. Calling a layer twice shares them. A user's layer derives from
// this, or is a plain function.
class Layer {
 public:
  Layer(Model& model, std::string name, std::string type)
      : model_(model), name_(std::move(name)), type_(std::move(type)) {}
  virtual ~Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  Tensor operator()(Operand x);
  const std::string& name() const { return name_; }
  const std::string& type() const { return type_; }

 protected:
  virtual Tensor Call(Operand x) = 0;
  // The parameter "<layer>.<name>", made at the first use.
  Tensor Parameter(const std::string& name, const Shape& shape, const Initializer& initializer);
  // Remembers an error about this layer and gives a bad tensor.
  Tensor Fail(const Operand& x, std::string message, std::string help = {});
  Model& model() { return model_; }

 private:
  Model& model_;
  std::string name_, type_;
  std::source_location called_from_;  // by the user, last
};

// One line of a summary.
struct LayerInfo {
  std::string name, type, output;
  int64_t parameters = 0;
};

class Model {
 public:
  explicit Model(std::string name, DType dtype = DType::kF32);

  // The first axis is the batch (kBatch) in everything that Fit and Evaluate see.
  Tensor Input(const std::string& name, const Shape& shape,
               const std::source_location& where = std::source_location::current());
  Tensor Input(const std::string& name, const Shape& shape, DType dtype,
               const std::source_location& where = std::source_location::current());

  // Makes a layer that the model owns. Names are unique in the model.
  template <typename L, typename... Args>
  L& Add(const std::string& name, Args&&... args) {
    auto layer = std::make_unique<L>(*this, name, std::forward<Args>(args)...);
    L& reference = *layer;
    Own(std::move(layer));
    return reference;
  }
  // The same for layers of units with an activation; lets overloaded names such as tanh be given.
  template <typename L>
  L& Add(const std::string& name, int64_t units, Activation activation) {
    auto layer = std::make_unique<L>(*this, name, units, std::move(activation));
    L& reference = *layer;
    Own(std::move(layer));
    return reference;
  }

  void Output(const std::string& name, Tensor value,
              const std::source_location& where = std::source_location::current());

  // A parameter of the model itself, for models without layers.
  Tensor Parameter(const std::string& name, const Shape& shape, const Initializer& initializer,
                   const std::source_location& where = std::source_location::current());

  const std::string& name() const { return module_->name(); }
  DType dtype() const { return dtype_; }
  const ir::Module& module() const { return *module_; }
  ir::Module& module() { return *module_; }
  // @forward, whose arguments are inputs and parameters in the order of their making.
  ir::Function& forward() { return *forward_; }
  const ir::Function& forward() const { return *forward_; }
  const std::vector<LayerInfo>& layers() const { return layers_; }
  int64_t num_parameters() const;
  // The first error of building; else what can be seen only of the whole: an output, sizes that
  // every call knows.
  absl::Status Check() const;
  bool IsParameter(std::string_view name) const;

 private:
  friend class Layer;
  void Own(std::unique_ptr<Layer> layer);

  DType dtype_;
  std::unique_ptr<ir::Module> module_;
  ir::Function* forward_;
  std::vector<std::unique_ptr<Layer>> owned_;
  std::vector<LayerInfo> layers_;
};

}  // namespace gradus
