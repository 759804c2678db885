#include "frontend/training_module.h"

#include "fmt/format.h"

namespace gradus {
namespace {

using ir::Function;

// Builds one entry: its arguments, the model's body in it, and what training adds.
class EntryBuilder {
 public:
  EntryBuilder(const Model& model, ir::Module& module, const std::string& name)
      : model_(model), function_(module.AddFunction(name)) {}

  Function& function() { return function_; }

  void AddInputs() {
    for (int i = 0; i < model_.forward().num_args(); ++i) {
      const ir::Node& a = *model_.forward().arg(i).node();
      if (!model_.IsParameter(a.name())) {
        inputs_.push_back(function_.AddArgument(a.name(), a.type(), a.location()));
      }
    }
  }

  void AddTargets(const Loss& loss) {
    const auto& results = model_.forward().results();
    for (const ir::Result& r : results) {
      Type type = r.value.type();
      if (loss.sparse()) {
        type.dtype = DType::kI64;
        const Shape with_classes = type.shape;
        type.shape = Shape(with_classes.dims().first(
            static_cast<size_t>(with_classes.rank() > 0 ? with_classes.rank() - 1 : 0)));
      }
      const std::string name = results.size() == 1 ? "target" : "target_" + r.name;
      targets_.push_back(function_.AddArgument(name, type));
    }
  }

  void AddParameters() {
    for (const ir::Parameter& p : model_.module().parameters()) {
      parameters_.push_back(function_.AddArgument(p.name, p.type));
    }
  }

  // The model's outputs in this function.
  const std::vector<Tensor>& Body() {
    std::vector<Tensor> arguments;
    size_t input = 0, parameter = 0;
    for (int i = 0; i < model_.forward().num_args(); ++i) {
      const bool is_parameter = model_.IsParameter(model_.forward().arg(i).node()->name());
      arguments.push_back(is_parameter ? parameters_[parameter++] : inputs_[input++]);
    }
    outputs_ = InlineInto(function_, model_.forward(), arguments);
    return outputs_;
  }

  Tensor LossOf(const Loss& loss) {
    function_.set_scope(std::make_shared<const std::string>("loss"));
    Tensor sum;
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const Tensor one = loss(targets_[i], outputs_[i]);
      if (!CheckScalar(one, loss.name(), i)) break;
      sum = sum ? sum + one : one;
    }
    function_.set_scope(nullptr);
    return sum;
  }

  void AddMetrics(const TrainingOptions& options) {
    function_.set_scope(std::make_shared<const std::string>("metrics"));
    for (const Metric& metric : options.metrics) {
      for (size_t i = 0; i < outputs_.size(); ++i) {
        const Tensor value = metric.compute(targets_[i], outputs_[i], options.loss);
        const std::string name(metric.name);
        function_.AddResult(
            value, outputs_.size() == 1 ? name : model_.forward().results()[i].name + "_" + name);
      }
    }
    function_.set_scope(nullptr);
  }

  const std::vector<Tensor>& parameters() const { return parameters_; }

  absl::Status status() const {
    return function_.error() ? function_.error()->ToStatus() : absl::OkStatus();
  }

 private:
  bool CheckScalar(Tensor loss, std::string_view name, size_t output) {
    if (loss && loss.is_poison()) return false;  // its function knows why
    if (loss && &loss.function() == &function_ && loss.rank() == 0 &&
        loss.dtype() == outputs_[output].dtype()) {
      return true;
    }
    function_.ReportError(
        {.location = outputs_[output].node()->location(),
         .message = fmt::format("loss {} of output {} gives {}, expected a scalar of {}", name,
                                model_.forward().results()[output].name,
                                loss ? ir::ToString(loss.type()) : "no tensor",
                                ir::Name(outputs_[output].dtype())),
         .help = "end the loss with reduce_mean or reduce_sum"});
    return false;
  }

  const Model& model_;
  Function& function_;
  std::vector<Tensor> inputs_, targets_, parameters_, outputs_;
};

absl::Status CheckModel(const Model& model) {
  if (absl::Status s = model.Check(); !s.ok()) return s;
  if (static_cast<size_t>(model.forward().num_args()) == model.module().parameters().size()) {
    return ir::Diagnostic{.message = fmt::format("model {} has no input", model.name()),
                          .help = "call Input(name, shape) and build the outputs from it"}
        .ToStatus();
  }
  return absl::OkStatus();
}

// Class numbers stand for positions along the prediction's last axis.
absl::Status CheckLoss(const Model& model, const Loss& loss) {
  if (!loss.sparse()) return absl::OkStatus();
  for (const ir::Result& r : model.forward().results()) {
    if (r.value.rank() > 0) continue;
    return ir::Diagnostic{.location = r.value.node()->location(),
                          .message = fmt::format("{} needs one score a class, but output {} is {}",
                                                 loss.name(), r.name, ir::ToString(r.value.type())),
                          .help = "the last axis of the output must count the classes"}
        .ToStatus();
  }
  return absl::OkStatus();
}

absl::Status BuildInit(const Model& model, ir::Module& module) {
  Function& f = module.AddFunction("init");
  const Tensor seed = f.AddArgument("seed", {DType::kI64, {}});
  int64_t stream = 0;
  for (const ir::Parameter& p : model.module().parameters()) {
    f.set_scope(std::make_shared<const std::string>(p.name));
    f.AddResult(Initialize(f, p, seed, stream++), p.name);
  }
  f.set_scope(nullptr);
  return f.error() ? f.error()->ToStatus() : absl::OkStatus();
}

absl::Status BuildForward(const Model& model, ir::Module& module) {
  EntryBuilder b(model, module, "forward");
  b.AddInputs();
  b.AddParameters();
  const std::vector<Tensor>& outputs = b.Body();
  for (size_t i = 0; i < outputs.size(); ++i) {
    b.function().AddResult(outputs[i], model.forward().results()[i].name);
  }
  return b.status();
}

absl::Status BuildEvaluate(const Model& model, const TrainingOptions& options, ir::Module& module) {
  EntryBuilder b(model, module, "evaluate");
  b.AddInputs();
  b.AddTargets(options.loss);
  b.AddParameters();
  b.Body();
  b.function().AddResult(b.LossOf(options.loss), "loss");
  b.AddMetrics(options);
  return b.status();
}

absl::Status BuildTrainStep(const Model& model, const TrainingOptions& options,
                            ir::Module& module) {
  EntryBuilder b(model, module, "train_step");
  Function& f = b.function();
  b.AddInputs();
  b.AddTargets(options.loss);
  b.AddParameters();
  std::vector<Tensor> state;
  for (const StateTensor& s : TrainingState(model, options)) {
    state.push_back(f.AddArgument(s.name, s.type));
  }
  const Tensor learning_rate = f.AddArgument("learning_rate", {model.dtype(), {}});
  const Tensor step = f.AddArgument("step", {DType::kI64, {}});
  b.Body();
  const Tensor loss = b.LossOf(options.loss);
  f.AddResult(loss, "loss");
  b.AddMetrics(options);
  if (absl::Status s = b.status(); !s.ok()) return s;

  std::vector<Tensor> gradients = Grad(loss, b.parameters());
  const Tensor next_step = step + 1;
  f.set_scope(std::make_shared<const std::string>("optimizer"));
  if (options.clipping) gradients = options.clipping(gradients);
  UpdateContext context{.learning_rate = learning_rate, .step = cast(next_step, model.dtype())};
  context.common = options.optimizer->Prepare(context.learning_rate, context.step);
  const size_t slots = options.optimizer->slots().size();
  std::vector<Tensor> next_state;
  for (size_t i = 0; i < b.parameters().size(); ++i) {
    const Tensor p = b.parameters()[i];
    context.parameter = p;
    context.gradient = gradients[i];
    const auto own = state.begin() + static_cast<std::ptrdiff_t>(i * slots);
    context.state.assign(own, own + static_cast<std::ptrdiff_t>(slots));
    const Update update = options.optimizer->Apply(context);
    f.AddResult(update.parameter, p.node()->name(), f.ArgumentIndex(p));
    next_state.insert(next_state.end(), update.state.begin(), update.state.end());
  }
  f.set_scope(nullptr);
  for (size_t i = 0; i < state.size(); ++i) {
    f.AddResult(next_state[i], state[i].node()->name(), f.ArgumentIndex(state[i]));
  }
  f.AddResult(next_step, "step", f.ArgumentIndex(step));
  return b.status();
}

}  // namespace

std::vector<StateTensor> TrainingState(const Model& model, const TrainingOptions& options) {
  std::vector<StateTensor> state;
  for (const ir::Parameter& p : model.module().parameters()) {
    for (const Slot& slot : options.optimizer->slots()) {
      state.push_back({p.name + "/" + slot.name, p.type, slot.start});
    }
  }
  return state;
}

absl::StatusOr<std::unique_ptr<ir::Module>> BuildInferenceModule(const Model& model) {
  if (absl::Status s = CheckModel(model); !s.ok()) return s;
  auto module = std::make_unique<ir::Module>(model.name());
  module->parameters() = model.module().parameters();
  if (absl::Status s = BuildInit(model, *module); !s.ok()) return s;
  if (absl::Status s = BuildForward(model, *module); !s.ok()) return s;
  return module;
}

absl::StatusOr<std::unique_ptr<ir::Module>> BuildTrainingModule(const Model& model,
                                                                const TrainingOptions& options) {
  absl::StatusOr<std::unique_ptr<ir::Module>> module = BuildInferenceModule(model);
  if (!module.ok()) return module;
  if (absl::Status s = CheckLoss(model, options.loss); !s.ok()) return s;
  if (absl::Status s = BuildEvaluate(model, options, **module); !s.ok()) return s;
  if (absl::Status s = BuildTrainStep(model, options, **module); !s.ok()) return s;
  return module;
}

}  // namespace gradus
