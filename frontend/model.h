#pragma once

// A Model: inputs, layers with named parameters, outputs. Building it writes one graph function,
// @forward.
//
//   Model m("theft");
//   Tensor x = m.Input("x", {kBatch, 12});
//   Tensor h = m.Add<Dense>("hidden", 64, relu)(x);
//   m.Output("p", m.Add<Dense>("out", 1, sigmoid)(h));

#include <initializer_list>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "frontend/activations.h"
#include "frontend/initializers.h"
#include "frontend/random_key.h"
#include "frontend/tensor.h"
#include "frontend/weights.h"
#include "ir/module.h"

namespace gradus {

class Model;

// Names of the arguments of @forward that keys are made of; a training step binds them to its seed
// and step.
inline constexpr std::string_view kSeedName = "random.seed";
inline constexpr std::string_view kStepName = "random.step";

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
  // For TimeDistributed: x is [batch, time, ...]; what Call gives for the [batch, ...] of each
  // step, as [batch, time, ...]. Layers that do not say how are refused there.
  virtual Tensor CallOnSteps(Operand x);
  // The parameter "<layer>.<name>", made at the first use.
  Tensor Parameter(const std::string& name, const Shape& shape, const Initializer& initializer);
  // Like a parameter, but not trained: what UpdateState writes (running statistics).
  Tensor State(const std::string& name, const Shape& shape, const Initializer& initializer);
  // What `state` becomes at the end of a training step: see Model.
  void UpdateState(Tensor state, Tensor value);
  Tensor LatestState(Tensor state) const;
  RandomKey NextRandomKey();
  // For layers that take more than one tensor: does for them what operator() does. `body` computes
  // the result; bad tensors, of other models too, never reach it.
  Tensor Run(std::initializer_list<Operand> inputs, absl::FunctionRef<Tensor()> body);
  // Remembers an error about this layer and gives a bad tensor.
  Tensor Fail(const Operand& x, std::string message, std::string help = {});
  Model& model() { return model_; }

 private:
  friend class Model;
  friend class TimeDistributed;
  Tensor Make(const std::string& name, const Shape& shape, const Initializer& initializer,
              bool trainable);
  Model& model_;
  std::string name_, type_;
  std::source_location called_from_;  // by the user, last
};

struct TrainingOptions;
namespace data {
class Preprocess;
}

// What Model::Save writes beside the model.
struct SaveOptions {
  const TrainingOptions* training = nullptr;  // loss, optimiser, metrics: what a step does
  const Weights* weights = nullptr;           // all parameters, as Trainer::CloneWeights gives them
  const data::Preprocess* preprocess = nullptr;  // how a table becomes what the model takes
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

  // The same with a name made from the layer's type: dense, dense_1, ...
  template <typename L, typename... Args>
  L& AddUnnamed(Args&&... args) {
    auto layer = std::make_unique<L>(*this, "", std::forward<Args>(args)...);
    L& reference = *layer;
    layer->name_ = NameFor(layer->type());
    Own(std::move(layer));
    return reference;
  }

  void Output(const std::string& name, Tensor value,
              const std::source_location& where = std::source_location::current());

  // A parameter of the model itself, for models without layers.
  Tensor Parameter(const std::string& name, const Shape& shape, const Initializer& initializer,
                   const std::source_location& where = std::source_location::current());

  // A parameter that no optimiser changes: running statistics, counters. It changes where
  // UpdateState says how.
  Tensor State(const std::string& name, const Shape& shape, const Initializer& initializer,
               const std::source_location& where = std::source_location::current());
  // At the end of each training step, `state` (made by State) becomes `value`, of its type; a later
  // call replaces an earlier one. Forward and Evaluate leave it. What is updated more than once a
  // step, as by a shared layer, starts from LatestState: the value set so far, or `state` itself.
  void UpdateState(Tensor state, Tensor value);
  Tensor LatestState(Tensor state) const;
  // A key for one draw, another one at every call: its stream follows from the training step and
  // the place of the draw, so every step and every place draws other numbers, and a run with the
  // same seed draws the same. Outside of training, seed and step are 0.
  RandomKey NextRandomKey();

  // One file with all of the model, from which a library can be made without the program that built
  // it: see frontend/library/saved_model.h.
  absl::Status Save(std::string_view path, const SaveOptions& options = {}) const;

  const std::string& name() const { return module_->name(); }
  DType dtype() const { return dtype_; }
  const ir::Module& module() const { return *module_; }
  ir::Module& module() { return *module_; }
  // @forward, whose arguments are inputs, parameters and what random keys need, in the order of
  // their making. It says what training computes and what everything else does at once: see
  // by_phase and frontend/phase.h.
  ir::Function& forward() { return *forward_; }
  const ir::Function& forward() const { return *forward_; }
  const std::vector<LayerInfo>& layers() const { return layers_; }
  int64_t num_parameters() const;
  // The first error of building; else what can be seen only of the whole: an output, sizes that
  // every call knows.
  absl::Status Check() const;
  bool IsInput(std::string_view name) const;
  bool IsParameter(std::string_view name) const;
  bool draws_random() const { return draws_ > 0; }
  struct StateUpdate {
    Tensor state, value;
  };
  const std::vector<StateUpdate>& state_updates() const { return updates_; }

 private:
  friend class Layer;
  void Own(std::unique_ptr<Layer> layer);
  std::string NameFor(const std::string& type) const;
  Tensor MakeParameter(const std::string& name, const Shape& shape, const Initializer& initializer,
                       bool trainable, const std::source_location& where);

  DType dtype_;
  std::unique_ptr<ir::Module> module_;
  ir::Function* forward_;
  std::vector<std::unique_ptr<Layer>> owned_;
  std::vector<LayerInfo> layers_;
  std::vector<StateUpdate> updates_;
  int64_t draws_ = 0;
};

}  // namespace gradus
