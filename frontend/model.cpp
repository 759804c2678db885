#include "frontend/model.h"

#include <algorithm>
#include <string_view>
#include <vector>

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
  if (name == kSeedName || name == kStepName) {
    problem = fmt::format("input name \"{}\" is taken by random layers", name);
    help = "choose another name";
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

std::string Model::NameFor(const std::string& type) const {
  std::string name = type;
  for (int n = 1;; ++n) {
    bool taken = false;
    for (const auto& other : owned_) taken = taken || other->name() == name;
    if (!taken) return name;
    name = fmt::format("{}_{}", type, n);
  }
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
  return MakeParameter(name, shape, initializer, /*trainable=*/true, where);
}

Tensor Model::State(const std::string& name, const Shape& shape, const Initializer& initializer,
                    const std::source_location& where) {
  return MakeParameter(name, shape, initializer, /*trainable=*/false, where);
}

Tensor Model::MakeParameter(const std::string& name, const Shape& shape,
                            const Initializer& initializer, bool trainable,
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
  module_->parameters().push_back({name, type, initializer, trainable});
  return forward_->AddArgument(name, type, location);
}

void Model::UpdateState(Tensor state, Tensor value) {
  if (!state || !value || state.is_poison() || value.is_poison()) return;
  const ir::Parameter* parameter = nullptr;
  for (const ir::Parameter& p : module_->parameters()) {
    if (state.node()->is_argument() && state.node()->name() == p.name) parameter = &p;
  }
  std::string problem;
  if (&state.function() != forward_ || parameter == nullptr || parameter->trainable) {
    problem = "only what State made can be updated";
  } else if (&value.function() != forward_) {
    problem = fmt::format("the new value of {} belongs to another model", parameter->name);
  } else if (!(value.type() == state.type())) {
    problem = fmt::format("the new value of {} is {}, expected {}", parameter->name,
                          ir::ToString(value.type()), ir::ToString(state.type()));
  }
  if (!problem.empty()) {
    forward_->ReportError({.location = value.node()->location(),
                           .message = "update of a state: " + problem,
                           .help = "make the state with State(name, shape, initializer)"});
    return;
  }
  for (StateUpdate& update : updates_) {
    if (update.state == state) {
      update.value = value;
      return;
    }
  }
  updates_.push_back({state, value});
}

Tensor Model::LatestState(Tensor state) const {
  for (const StateUpdate& update : updates_) {
    if (update.state == state) return update.value;
  }
  return state;
}

RandomKey Model::NextRandomKey() {
  // One draw a number; streams of draws are negative, so that they are none of @init's.
  constexpr int64_t kDrawsAStep = 1 << 16;
  Tensor seed = forward_->FindArgument(kSeedName);
  Tensor step = forward_->FindArgument(kStepName);
  if (!seed) {
    seed = forward_->AddArgument(std::string(kSeedName), {DType::kI64, {}});
    step = forward_->AddArgument(std::string(kStepName), {DType::kI64, {}});
  }
  if (draws_ == kDrawsAStep) {
    forward_->ReportError(
        {.message = fmt::format("{} draws random numbers at more than {} places", name(), draws_),
         .help = "draw fewer, larger tensors"});
    return {forward_->poison(), forward_->poison()};
  }
  ++draws_;
  return {seed, -kDrawsAStep * step - draws_};
}

absl::Status Model::Check() const {
  if (forward_->error()) return forward_->error()->ToStatus();
  if (forward_->results().empty()) {
    return ir::Diagnostic{.message = fmt::format("{} has no output", name()),
                          .help = "call Output(name, tensor) before Compile"}
        .ToStatus();
  }
  std::vector<ir::Symbol> known;
  const auto first_unknown = [&](const Type& type) -> ir::Symbol {
    for (const Dim& d : type.shape) {
      if (d.is_symbol() && std::find(known.begin(), known.end(), d.symbol()) == known.end()) {
        return d.symbol();
      }
    }
    return {};
  };
  for (int i = 0; i < forward_->num_args(); ++i) {
    for (const Dim& d : forward_->arg(i).shape()) {
      if (d.is_symbol()) known.push_back(d.symbol());
    }
  }
  for (const auto& node : forward_->nodes()) {
    for (const Type& type : node->types()) {
      const ir::Symbol unknown = first_unknown(type);
      if (unknown.empty()) continue;
      return ir::Diagnostic{
          .location = node->location(),
          .message = fmt::format("{} gives {}, but no input has the symbol {} in its shape",
                                 node->op().name, ir::ToString(type), unknown.name()),
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

bool Model::IsInput(std::string_view name) const {
  return forward_->FindArgument(name) && !IsParameter(name) && name != kSeedName &&
         name != kStepName;
}

bool Model::IsParameter(std::string_view name) const {
  for (const ir::Parameter& p : module_->parameters()) {
    if (p.name == name) return true;
  }
  return false;
}

}  // namespace gradus
