// Layer: what all layers share.

#include "fmt/format.h"
#include "frontend/model.h"

namespace gradus {

Tensor Layer::operator()(Operand x) {
  return Run({x}, [&] { return Call(x); });
}

Tensor Layer::CallOnSteps(Operand x) {
  return Fail(x, fmt::format("a {} layer cannot be applied to every step of a sequence", type_),
              "layers of your own say how by overriding CallOnSteps; a function of tensors can be "
              "called on [batch, time, ...] itself");
}

Tensor Layer::Run(std::initializer_list<Operand> inputs, absl::FunctionRef<Tensor()> body) {
  for (const Operand& x : inputs) {
    if (!x.value() || x.value().is_poison()) return x.value();
    ir::Function& f = x.value().function();
    if (&f == model_.forward_) continue;
    std::string message = fmt::format("layer {} belongs to model {}, its input to another model",
                                      name_, model_.name());
    std::string help = "add the layer to the model that it is called in";
    if (f.kind() == ir::FunctionKind::kBody) {
      message = fmt::format("layer {} is called in the step of a loop", name_);
      help =
          "a step may use only what it is given: call functions of tensors in it, as matmul with "
          "weights given as invariants, or dropout with a key of ScanOptions::keys";
    }
    for (ir::Function* function : {&f, model_.forward_}) {
      function->ReportError({.location = x.location(), .message = message, .help = help});
    }
    return f.poison();
  }
  ir::Function& f = *model_.forward_;
  called_from_ = inputs.begin()->where();
  const auto outer = f.scope();
  f.set_scope(std::make_shared<const std::string>(name_));
  Tensor y = body();
  f.set_scope(outer);
  for (LayerInfo& info : model_.layers_) {
    if (info.name == name_ && y && !y.is_poison()) info.output = ir::ToString(y.shape());
  }
  return y;
}

Tensor Layer::Parameter(const std::string& name, const Shape& shape,
                        const Initializer& initializer) {
  return Make(name, shape, initializer, /*trainable=*/true);
}

Tensor Layer::State(const std::string& name, const Shape& shape, const Initializer& initializer) {
  return Make(name, shape, initializer, /*trainable=*/false);
}

Tensor Layer::Make(const std::string& name, const Shape& shape, const Initializer& initializer,
                   bool trainable) {
  const std::string full = name_ + "." + name;
  if (Tensor made = model_.forward_->FindArgument(full)) {
    if (made.shape() == shape) return made;
    model_.forward_->ReportError(
        {.location = ir::Location(called_from_),
         .message = fmt::format("layer {}: parameter {} has shape {}, but this call needs {}",
                                name_, full, ir::ToString(made.shape()), ir::ToString(shape)),
         .help = "a layer that is called twice shares its parameters, so its inputs must agree; "
                 "add a second layer"});
    return model_.forward_->poison();
  }
  Tensor made = model_.MakeParameter(full, shape, initializer, trainable, called_from_);
  for (LayerInfo& info : model_.layers_) {
    if (info.name == name_) info.parameters += shape.num_elements().value_or(0);
  }
  return made;
}

void Layer::UpdateState(Tensor state, Tensor value) { model_.UpdateState(state, value); }

Tensor Layer::LatestState(Tensor state) const { return model_.LatestState(state); }

RandomKey Layer::NextRandomKey() { return model_.NextRandomKey(); }

Tensor Layer::Fail(const Operand& x, std::string message, std::string help) {
  ir::Function& f = x.value().function();
  f.ReportError({.location = x.location(),
                 .message = fmt::format("layer {}: {}", name_, message),
                 .help = std::move(help)});
  return f.poison();
}

}  // namespace gradus
