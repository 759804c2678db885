#include "frontend/model.h"

#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "fmt/format.h"
#include "ir/op_def.h"

namespace gradus {
namespace {

// What IR text and C headers can spell.
bool IsName(std::string_view name) {
  if (name.empty()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool later = (c >= '0' && c <= '9') || c == '.' || c == '/';
    if (!letter && !(i > 0 && later)) return false;
  }
  return true;
}

}  // namespace

Tensor Layer::operator()(Operand x) {
  if (!x.value() || x.value().is_poison()) return x.value();
  ir::Function& f = x.value().function();
  if (&f != model_.forward_) {
    const std::string message = fmt::format(
        "layer {} belongs to model {}, its input to another model", name_, model_.name());
    for (ir::Function* function : {&f, model_.forward_}) {
      function->ReportError({.location = x.location(),
                             .message = message,
                             .help = "add the layer to the model that it is called in"});
    }
    return f.poison();
  }
  called_from_ = x.where();
  const auto outer = f.scope();
  f.set_scope(std::make_shared<const std::string>(name_));
  Tensor y = Call(x);
  f.set_scope(outer);
  for (LayerInfo& info : model_.layers_) {
    if (info.name == name_ && y && !y.is_poison()) info.output = ir::ToString(y.shape());
  }
  return y;
}

Tensor Layer::Parameter(const std::string& name, const Shape& shape,
                        const Initializer& initializer) {
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
  Tensor made = model_.Parameter(full, shape, initializer, called_from_);
  for (LayerInfo& info : model_.layers_) {
    if (info.name == name_) info.parameters += shape.num_elements().value_or(0);
  }
  return made;
}

Tensor Layer::Fail(const Operand& x, std::string message, std::string help) {
  ir::Function& f = x.value().function();
  f.ReportError({.location = x.location(),
                 .message = fmt::format("layer {}: {}", name_, message),
                 .help = std::move(help)});
  return f.poison();
}

Model::Model(std::string name, DType dtype)
    : dtype_(dtype), module_(std::make_unique<ir::Module>(std::move(name))) {
  forward_ = &module_->AddFunction("forward");
  if (!IsName(module_->name())) {
    forward_->ReportError(
        {.message = fmt::format("model name \"{}\" is no identifier", module_->name()),
         .help = "use letters, digits and underscores"});
  }
}

Tensor Model::Input(const std::string& name, const Shape& shape,
                    const std::source_location& where) {
  return Input(name, shape, dtype_, where);
}

Tensor Model::Input(const std::string& name, const Shape& shape, DType dtype,
                    const std::source_location& where) {
  const ir::Location location(where);
  std::string problem, help;
  if (!IsName(name)) {
    problem = fmt::format("input name \"{}\" is no identifier", name);
    help = "use letters, digits and underscores, a letter first";
  }
  if (forward_->FindArgument(name)) {
    problem = fmt::format("input {} is there already", name);
    help = "use the tensor that the first call returned, or choose another name";
  }
  for (const Dim& d : shape) {
    if (!d.is_symbol() && d.size() < 0) {
      problem = fmt::format("input {} has the negative size {}", name, d.size());
      help = "a size that is not known yet is a symbol, such as kBatch or kTime";
    }
  }
  if (!problem.empty()) {
    forward_->ReportError({.location = location, .message = problem, .help = help});
    return forward_->poison();
  }
  return forward_->AddArgument(name, {dtype, shape}, location);
}

void Model::Own(std::unique_ptr<Layer> layer) {
  bool taken = !IsName(layer->name());
  for (const auto& other : owned_) taken = taken || other->name() == layer->name();
  if (taken) {
    forward_->ReportError(
        {.message = fmt::format("layer name \"{}\" is {}", layer->name(),
                                IsName(layer->name()) ? "there already" : "no identifier"),
         .help = "give every layer a name of its own of letters, digits and underscores"});
  }
  layers_.push_back({layer->name(), layer->type(), "", 0});
  owned_.push_back(std::move(layer));
}

void Model::Output(const std::string& name, Tensor value, const std::source_location& where) {
  const ir::Location location(where);
  if (!value) {
    forward_->ReportError({.location = location,
                           .message = fmt::format("output {} is no tensor", name),
                           .help = "give it the result of a layer or an operation"});
    return;
  }
  if (value.is_poison()) return;  // its function knows why
  if (&value.function() != forward_) {
    forward_->ReportError({.location = location,
                           .message = fmt::format("output {} belongs to another model", name),
                           .help = "give it a tensor that was made from this model's inputs"});
    return;
  }
  for (const ir::Result& r : forward_->results()) {
    if (r.name == name) {
      forward_->ReportError({.location = location,
                             .message = fmt::format("output {} is there already", name),
                             .help = "give every output a name of its own"});
      return;
    }
  }
  forward_->AddResult(value, name);
}

Tensor Model::Parameter(const std::string& name, const Shape& shape, const Initializer& initializer,
                        const std::source_location& where) {
  const ir::Location location(where);
  if (shape.has_symbols()) {
    forward_->ReportError(
        {.location = location,
         .message = fmt::format("parameter {} has shape {}, expected numbers only", name,
                                ir::ToString(shape)),
         .help = "weights are stored once, so their sizes cannot depend on a call"});
    return forward_->poison();
  }
  if (forward_->FindArgument(name)) {
    forward_->ReportError({.location = location,
                           .message = fmt::format("parameter {} is there already", name),
                           .help = "use the tensor that the first call returned"});
    return forward_->poison();
  }
  const Type type{dtype_, shape};
  module_->parameters().push_back({name, type, initializer, true});
  return forward_->AddArgument(name, type, location);
}

absl::Status Model::Check() const {
  if (forward_->error()) return forward_->error()->ToStatus();
  if (forward_->results().empty()) {
    return ir::Diagnostic{.message = fmt::format("{} has no output", name()),
                          .help = "call Output(name, tensor) before Compile"}
        .ToStatus();
  }
  absl::flat_hash_set<std::string_view> known;
  const auto first_unknown = [&](const Type& type) -> std::string_view {
    for (const Dim& d : type.shape) {
      if (d.is_symbol() && !known.contains(d.symbol().name())) return d.symbol().name();
    }
    return {};
  };
  std::vector<Type> arguments;  // keeps the names that `known` points to
  for (int i = 0; i < forward_->num_args(); ++i) arguments.push_back(forward_->arg(i).type());
  for (const Type& type : arguments) {
    for (const Dim& d : type.shape) {
      if (d.is_symbol()) known.insert(d.symbol().name());
    }
  }
  for (const auto& node : forward_->nodes()) {
    for (const Type& type : node->types()) {
      const std::string_view unknown = first_unknown(type);
      if (unknown.empty()) continue;
      return ir::Diagnostic{
          .location = node->location(),
          .message = fmt::format("{} gives {}, but no input has the symbol {} in its shape",
                                 node->op().name, ir::ToString(type), unknown),
          .help = "a call takes the sizes of symbols from its inputs: add an input with that axis"}
          .ToStatus();
    }
  }
  return absl::OkStatus();
}

int64_t Model::num_parameters() const {
  int64_t n = 0;
  for (const ir::Parameter& p : module_->parameters()) n += p.type.shape.num_elements().value_or(0);
  return n;
}

bool Model::IsParameter(std::string_view name) const {
  for (const ir::Parameter& p : module_->parameters()) {
    if (p.name == name) return true;
  }
  return false;
}

}  // namespace gradus
