#include "frontend/training_module.h"

#include "fmt/format.h"
#include "frontend/phase.h"

namespace gradus {
namespace {

using ir::Function;

// Builds one entry: its arguments, the model's body in it, and what training adds.
class EntryBuilder {
 public:
  EntryBuilder(const Model& model, ir::Module& module, const std::string& name, Phase phase)
      : model_(model), function_(module.AddFunction(name)), phase_(phase) {}

  Function& function() { return function_; }

  void AddInputs() {
    for (int i = 0; i < model_.forward().num_args(); ++i) {
      const ir::Node& a = *model_.forward().arg(i).node();
      if (model_.IsInput(a.name())) function_.AddArgument(a.name(), a.type(), a.location());
    }
  }

  void AddTargets(const TrainingOptions& options) {
    const auto& results = model_.forward().results();
    for (const ir::Result& r : results) {
      Type type = r.value.type();
      if (options.loss.sparse()) {
        type.dtype = DType::kI64;
        const Shape with_classes = type.shape;
        type.shape = Shape(with_classes.dims().first(
            static_cast<size_t>(with_classes.rank() > 0 ? with_classes.rank() - 1 : 0)));
      }
      const std::string name = results.size() == 1 ? "target" : "target_" + r.name;
      targets_.push_back(function_.AddArgument(name, type));
    }
    if (!options.sample_weights) return;
    const Shape& batch = results.front().value.shape();
    weight_ = function_.AddArgument(
        "sample_weight", {model_.dtype(), Shape(batch.dims().first(batch.rank() > 0 ? 1 : 0))});
  }

  void AddParameters() {
    for (const ir::Parameter& p : model_.module().parameters()) {
      parameters_.push_back(function_.AddArgument(p.name, p.type));
    }
  }

  // What random keys follow from; 0 without this.
  void AddSeedAndStep(Tensor seed, Tensor step) {
    seed_ = seed;
    step_ = step;
  }

  // The model's outputs in this function, and, when training, what its states become.
  const std::vector<Tensor>& Body() {
    std::vector<Tensor> wanted;
    for (const ir::Result& r : model_.forward().results()) wanted.push_back(r.value);
    const size_t outputs = wanted.size();
    if (phase_ == Phase::kTraining) {
      for (const Model::StateUpdate& u : model_.state_updates()) wanted.push_back(u.value);
    }
    outputs_ = CopyForPhase(function_, model_.forward(), wanted, phase_,
                            [&](int i) { return ArgumentFor(model_.forward().arg(i)); });
    const auto end_of_outputs = outputs_.begin() + static_cast<std::ptrdiff_t>(outputs);
    new_states_.assign(end_of_outputs, outputs_.end());
    outputs_.erase(end_of_outputs, outputs_.end());
    return outputs_;
  }

  // What a step leaves in parameters that no optimiser changes.
  void AddNewStates() {
    for (size_t i = 0; i < new_states_.size(); ++i) {
      const std::string& name = model_.state_updates()[i].state.node()->name();
      function_.AddResult(new_states_[i], name,
                          function_.ArgumentIndex(function_.FindArgument(name)));
    }
  }

  // How many samples the batch has; 1 where the outputs have no batch axis.
  Tensor Samples() const {
    const Tensor output = outputs_.front();
    return output.rank() > 0 ? count(output, {0}) : scalar_like(output, 1);
  }

  // The loss of all outputs and the penalties on weights.
  Tensor LossOf(const TrainingOptions& options) {
    const Loss& loss = options.loss;
    function_.set_scope(std::make_shared<const std::string>("loss"));
    Tensor sum;
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const Tensor one = loss(targets_[i], outputs_[i], weight_);
      if (!CheckScalar(one, loss.name(), i)) break;
      sum = sum ? sum + one : one;
    }
    const Tensor penalty = Penalty(options.regularizers, trainable());
    if (sum && penalty) sum = sum + penalty;
    function_.set_scope(nullptr);
    return sum;
  }

  void AddMetrics(const TrainingOptions& options) {
    function_.set_scope(std::make_shared<const std::string>("metrics"));
    for (const OutputMetric& m : OutputMetrics(model_, options)) {
      const MetricInput input{targets_[m.output], outputs_[m.output],
                              m.weighted ? weight_ : Tensor(), options.loss};
      for (const MetricSum& sum : m.metric.update(input, m.metric.number)) {
        if (!CheckSum(m, sum)) return;
        function_.AddResult(sum.value, fmt::format("{}/{}", m.name, sum.name));
      }
    }
    function_.set_scope(nullptr);
  }

  // Those that an optimiser changes.
  std::vector<Tensor> trainable() const {
    std::vector<Tensor> trainable;
    const std::vector<ir::Parameter>& all = model_.module().parameters();
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i].trainable) trainable.push_back(parameters_[i]);
    }
    return trainable;
  }

  absl::Status status() const {
    return function_.error() ? function_.error()->ToStatus() : absl::OkStatus();
  }

 private:
  // Inputs and parameters are known by their names.
  Tensor ArgumentFor(Tensor of_model) {
    const std::string& name = of_model.node()->name();
    if (name == kSeedName) return seed_ ? seed_ : ir::constant_int(function_, of_model.type(), 0);
    if (name == kStepName) return step_ ? step_ : ir::constant_int(function_, of_model.type(), 0);
    return function_.FindArgument(name);
  }

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

  bool CheckSum(const OutputMetric& m, const MetricSum& sum) {
    if (sum.value && sum.value.is_poison()) return false;
    if (sum.value && &sum.value.function() == &function_ && ir::IsFloat(sum.value.dtype()) &&
        !sum.value.shape().has_symbols()) {
      return true;
    }
    function_.ReportError(
        {.location = outputs_[m.output].node()->location(),
         .message = fmt::format("metric {}: {} is {}, expected floats of a fixed shape", m.name,
                                sum.name, sum.value ? ir::ToString(sum.value.type()) : "no tensor"),
         .help = "a metric's sums are added over batches: end them with reduce_sum"});
    return false;
  }

  const Model& model_;
  Function& function_;
  Phase phase_;
  std::vector<Tensor> targets_, parameters_, outputs_, new_states_;
  Tensor seed_, step_;
  Tensor weight_;  // of the samples, if there are weights
};

absl::Status CheckModel(const Model& model) {
  if (absl::Status s = model.Check(); !s.ok()) return s;
  bool has_input = false;
  for (int i = 0; i < model.forward().num_args(); ++i) {
    has_input = has_input || model.IsInput(model.forward().arg(i).node()->name());
  }
  if (!has_input) {
    return ir::Diagnostic{.message = fmt::format("model {} has no input", model.name()),
                          .help = "call Input(name, shape) and build the outputs from it"}
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
  EntryBuilder b(model, module, "forward", Phase::kInference);
  b.AddInputs();
  b.AddParameters();
  const std::vector<Tensor>& outputs = b.Body();
  for (size_t i = 0; i < outputs.size(); ++i) {
    b.function().AddResult(outputs[i], model.forward().results()[i].name);
  }
  return b.status();
}

absl::Status BuildEvaluate(const Model& model, const TrainingOptions& options, ir::Module& module) {
  EntryBuilder b(model, module, "evaluate", Phase::kInference);
  b.AddInputs();
  b.AddTargets(options);
  b.AddParameters();
  b.Body();
  b.function().AddResult(b.LossOf(options), "loss");
  b.AddMetrics(options);
  return b.status();
}

void AddNorms(Function& f, std::span<const Tensor> parameters, std::span<const Tensor> gradients) {
  const auto add = [&](Tensor of, const std::string& name) {
    f.AddResult(sqrt(reduce_sum(of * of)), name);
  };
  for (size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = parameters[i].node()->name();
    add(gradients[i], name + "/gradient_norm");
    add(parameters[i], name + "/weight_norm");
  }
}

absl::Status BuildTrainStep(const Model& model, const TrainingOptions& options,
                            ir::Module& module) {
  EntryBuilder b(model, module, "train_step", Phase::kTraining);
  Function& f = b.function();
  b.AddInputs();
  b.AddTargets(options);
  b.AddParameters();
  std::vector<Tensor> state;
  for (const StateTensor& s : TrainingState(model, options)) {
    state.push_back(f.AddArgument(s.name, s.type));
  }
  const Tensor learning_rate = f.AddArgument("learning_rate", {model.dtype(), {}});
  const Tensor step = f.AddArgument("step", {DType::kI64, {}});
  if (model.draws_random()) {
    b.AddSeedAndStep(f.AddArgument("seed", {DType::kI64, {}}), BatchNumber(step, state, options));
  }
  b.Body();
  const Tensor loss = b.LossOf(options);
  f.AddResult(loss, "loss");
  b.AddMetrics(options);
  if (absl::Status s = b.status(); !s.ok()) return s;

  const std::vector<Tensor> trainable = b.trainable();
  const std::vector<Tensor> gradients = Grad(loss, trainable);
  f.set_scope(std::make_shared<const std::string>("optimizer"));
  const UpdateOutput update =
      UpdateWeights({.parameters = trainable,
                     .gradients = gradients,
                     .state = state,
                     .learning_rate = learning_rate,
                     .step = step,
                     .samples = options.accumulate_batches > 1 ? b.Samples() : Tensor()},
                    options);
  if (options.schedule) f.AddResult(update.learning_rate, "learning_rate");
  if (options.record_norms) AddNorms(f, trainable, gradients);
  f.set_scope(nullptr);
  if (absl::Status s = b.status(); !s.ok()) return s;
  for (size_t i = 0; i < trainable.size(); ++i) {
    const Tensor p = trainable[i];
    f.AddResult(update.parameters[i], p.node()->name(), f.ArgumentIndex(p));
  }
  b.AddNewStates();
  for (size_t i = 0; i < state.size(); ++i) {
    f.AddResult(update.state[i], state[i].node()->name(), f.ArgumentIndex(state[i]));
  }
  f.AddResult(update.step, "step", f.ArgumentIndex(step));
  return b.status();
}

}  // namespace

std::vector<OutputMetric> OutputMetrics(const Model& model, const TrainingOptions& options) {
  const auto& outputs = model.forward().results();
  std::vector<OutputMetric> all;
  const auto add = [&](const Metric& metric, bool weighted) {
    for (size_t i = 0; i < outputs.size(); ++i) {
      const std::string name = (weighted ? "weighted_" : "") + metric.full_name();
      all.push_back(
          {outputs.size() == 1 ? name : outputs[i].name + "_" + name, metric, i, weighted});
    }
  };
  for (const Metric& m : options.metrics) add(m, false);
  for (const Metric& m : options.weighted_metrics) add(m, true);
  return all;
}

absl::StatusOr<std::unique_ptr<ir::Module>> BuildInferenceModule(const Model& model) {
  if (absl::Status s = CheckModel(model); !s.ok()) return s;
  auto module = std::make_unique<ir::Module>(model.name());
  module->parameters() = model.module().parameters();
  for (const auto& f : model.module().functions()) {  // steps of loops over time
    if (f->kind() == ir::FunctionKind::kBody) module->AddCopy(*f, f->name());
  }
  if (absl::Status s = BuildInit(model, *module); !s.ok()) return s;
  if (absl::Status s = BuildForward(model, *module); !s.ok()) return s;
  return module;
}

absl::StatusOr<std::unique_ptr<ir::Module>> BuildTrainingModule(const Model& model,
                                                                const TrainingOptions& options) {
  absl::StatusOr<std::unique_ptr<ir::Module>> module = BuildInferenceModule(model);
  if (!module.ok()) return module;
  if (absl::Status s = CheckOptions(model, options); !s.ok()) return s;
  if (absl::Status s = BuildEvaluate(model, options, **module); !s.ok()) return s;
  if (absl::Status s = BuildTrainStep(model, options, **module); !s.ok()) return s;
  return module;
}

}  // namespace gradus
