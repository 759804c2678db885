#include "frontend/trainer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "fmt/format.h"

namespace gradus {
namespace {

using runtime::MutableTensorView;
using runtime::TensorView;

runtime::DType ToRuntime(DType dtype) { return static_cast<runtime::DType>(dtype); }

std::vector<int64_t> SizesOf(const Shape& shape) {
  std::vector<int64_t> sizes;
  for (const Dim& d : shape) sizes.push_back(d.size());
  return sizes;
}

double ReadScalar(const runtime::Tensor& t) {
  return t.dtype() == runtime::DType::kF64 ? t.data<double>()[0]
                                           : static_cast<double>(t.data<float>()[0]);
}

void WriteScalar(runtime::Tensor& t, double value) {
  if (t.dtype() == runtime::DType::kF64) {
    t.data<double>()[0] = value;
  } else {
    t.data<float>()[0] = static_cast<float>(value);
  }
}

void Fill(runtime::Tensor& t, double value) {
  if (t.dtype() == runtime::DType::kI64) {
    std::ranges::fill(t.data<int64_t>(), static_cast<int64_t>(value));
  } else if (t.dtype() == runtime::DType::kF64) {
    std::ranges::fill(t.data<double>(), value);
  } else {
    std::ranges::fill(t.data<float>(), static_cast<float>(value));
  }
}

}  // namespace

absl::StatusOr<Trainer> Trainer::Create(const Model& model, const TrainingOptions& training,
                                        std::vector<codegen::LoadedEntry> entries,
                                        const CompileReport& report) {
  Trainer t;
  t.model_name_ = model.name();
  t.layers_ = model.layers();
  t.num_parameters_ = model.num_parameters();
  t.report_ = report;
  for (int i = 0; i < model.forward().num_args(); ++i) {
    const std::string& name = model.forward().arg(i).node()->name();
    if (model.IsInput(name)) t.input_names_.push_back(name);
  }
  for (const ir::Result& r : model.forward().results()) t.output_names_.push_back(r.name);
  for (codegen::LoadedEntry& e : entries) {
    BoundEntry bound(std::move(e.executable));
    if (e.name == "init")
      t.init_ = std::move(bound);
    else if (e.name == "forward")
      t.forward_ = std::move(bound);
    else if (e.name == "evaluate")
      t.evaluate_ = std::move(bound);
    else if (e.name == "train_step")
      t.train_step_ = std::move(bound);
  }
  if (!t.init_ || !t.forward_ || !t.evaluate_ || !t.train_step_) {
    return absl::InternalError("the compiled module lacks an entry of training");
  }
  const runtime::DType dtype = ToRuntime(model.dtype());
  auto add = [](std::vector<NamedTensor>& list, std::string name, runtime::DType d,
                std::vector<int64_t> shape) -> absl::Status {
    auto tensor = runtime::Tensor::Zeros(d, std::move(shape));
    if (!tensor.ok()) return tensor.status();
    list.push_back({std::move(name), *std::move(tensor)});
    return absl::OkStatus();
  };
  for (const ir::Parameter& p : model.module().parameters()) {
    if (absl::Status s = add(t.parameters_, p.name, dtype, SizesOf(p.type.shape)); !s.ok())
      return s;
  }
  for (const StateTensor& state : TrainingState(model, training)) {
    if (absl::Status s =
            add(t.state_, state.name, ToRuntime(state.type.dtype), SizesOf(state.type.shape));
        !s.ok()) {
      return s;
    }
    t.state_starts_.push_back(state.start);
    for (size_t p = 0; p < t.parameters_.size(); ++p) {
      if (state.name == t.parameters_[p].name + "/average") {
        t.averages_.emplace_back(p, t.state_.size() - 1);
      }
    }
  }
  const gradus_entry_info& evaluate = t.evaluate_->executable().info();
  std::vector<std::string> sum_names;
  for (int i = 0; i < evaluate.result_count; ++i) {
    const gradus_tensor_info& info = evaluate.results[i];
    std::vector<int64_t> shape;
    for (int32_t axis = 0; axis < info.rank; ++axis) shape.push_back(info.dims[axis].size);
    auto tensor = runtime::Tensor::Zeros(static_cast<runtime::DType>(info.dtype), shape);
    if (!tensor.ok()) return tensor.status();
    if (i == 0) {
      t.loss_ = *std::move(tensor);
      continue;
    }
    sum_names.emplace_back(info.name);
    t.sums_.push_back(*std::move(tensor));
  }
  const gradus_entry_info& step_info = t.train_step_->executable().info();
  for (int i = evaluate.result_count; i < step_info.result_count; ++i) {
    const std::string_view name = step_info.results[i].name;
    if (step_info.results[i].alias < 0) {
      auto scalar = runtime::Tensor::Zeros(dtype, {});
      if (!scalar.ok()) return scalar.status();
      if (name == "learning_rate") {
        t.rate_used_ = *std::move(scalar);
      } else {
        t.norms_.push_back(*std::move(scalar));
      }
      continue;
    }
    for (size_t p = 0; p < t.parameters_.size(); ++p) {
      if (t.parameters_[p].name == name) t.updated_.push_back(p);
    }
  }
  t.draws_random_ = model.draws_random();
  t.sample_weights_ = training.sample_weights;
  auto seed = runtime::Tensor::Zeros(runtime::DType::kI64, {});
  if (!seed.ok()) return seed.status();
  t.seed_ = *std::move(seed);
  std::vector<OutputMetric> metrics = OutputMetrics(model, training);
  for (const OutputMetric& m : metrics) t.metric_names_.push_back(m.name);
  auto totals = MetricTotals::Create(std::move(metrics), sum_names, t.sums_);
  if (!totals.ok()) return totals.status();
  t.totals_ = *std::move(totals);
  auto rate = runtime::Tensor::Zeros(dtype, {});
  auto step = runtime::Tensor::Zeros(runtime::DType::kI64, {});
  if (!rate.ok()) return rate.status();
  if (!step.ok()) return step.status();
  t.learning_rate_tensor_ = *std::move(rate);
  t.step_ = *std::move(step);
  t.SetLearningRate(training.optimizer->learning_rate());
  if (absl::Status s = t.Reset(0); !s.ok()) return s;
  return t;
}

absl::Status Trainer::Reset(uint64_t seed) {
  seed_.data<int64_t>()[0] = static_cast<int64_t>(seed);
  const std::vector<TensorView> arguments = {seed_};
  std::vector<MutableTensorView> results;
  for (NamedTensor& p : parameters_) results.emplace_back(p.tensor);
  for (size_t i = 0; i < state_.size(); ++i) Fill(state_[i].tensor, state_starts_[i]);
  step_.data<int64_t>()[0] = 0;
  return init_->Run(arguments, results, threads_);
}

void Trainer::SetLearningRate(double rate) {
  learning_rate_ = rate;
  WriteScalar(learning_rate_tensor_, rate);
}

double Trainer::used_learning_rate() const {
  return rate_used_.raw() != nullptr ? ReadScalar(rate_used_) : learning_rate_;
}

void Trainer::ReadNorms(std::span<double> gradients, std::span<double> weights) const {
  for (size_t i = 0; i < gradients.size() && 2 * i + 1 < norms_.size(); ++i) {
    gradients[i] = ReadScalar(norms_[2 * i]);
    weights[i] = ReadScalar(norms_[2 * i + 1]);
  }
}

std::vector<std::string> Trainer::NormNames() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < norms_.size() / 2; ++i) names.push_back(parameters_[updated_[i]].name);
  return names;
}

absl::Status Trainer::UseAverages(bool use) {
  if (use && averages_.empty()) {
    return absl::InvalidArgumentError(fmt::format(
        "model {} keeps no averages of its weights; compile it with average_decay", model_name_));
  }
  use_averages_ = use;
  return absl::OkStatus();
}

void Trainer::AddWeights() {
  const size_t first = arguments_.size();
  for (const NamedTensor& p : parameters_) arguments_.emplace_back(p.tensor);
  if (!use_averages_ || step_.data<int64_t>()[0] == 0) return;
  for (const auto& [parameter, state] : averages_) {
    arguments_[first + parameter] = state_[state].tensor;
  }
}

const runtime::Tensor* Trainer::Parameter(std::string_view name) const {
  for (const NamedTensor& p : parameters_) {
    if (p.name == name) return &p.tensor;
  }
  return nullptr;
}

absl::Status Trainer::SetParameter(std::string_view name, TensorView value) {
  for (NamedTensor& p : parameters_) {
    if (p.name != name) continue;
    const std::vector<int64_t>& shape = p.tensor.shape();
    if (value.dtype != p.tensor.dtype() ||
        !std::equal(shape.begin(), shape.end(), value.shape.begin(), value.shape.end())) {
      return absl::InvalidArgumentError(fmt::format(
          "parameter {}: expected {} [{}], got {} [{}]", name, runtime::DTypeName(p.tensor.dtype()),
          fmt::join(shape, ", "), runtime::DTypeName(value.dtype), fmt::join(value.shape, ", ")));
    }
    if (p.tensor.raw() != nullptr) {
      std::memcpy(p.tensor.raw(), value.data, static_cast<size_t>(p.tensor.byte_size()));
    }
    return absl::OkStatus();
  }
  return absl::NotFoundError(fmt::format("there is no parameter {}; there are {}", name,
                                         fmt::join(ParameterNames(), ", ")));
}

std::vector<std::string> Trainer::ParameterNames() const {
  std::vector<std::string> names;
  for (const NamedTensor& p : parameters_) names.push_back(p.name);
  return names;
}

// The arguments in the order of training_module.h, into memory that is kept.
absl::Status Trainer::SetBatch(std::span<const TensorView> inputs,
                               std::span<const TensorView> targets) {
  arguments_.assign(inputs.begin(), inputs.end());
  arguments_.insert(arguments_.end(), targets.begin(), targets.end());
  if (!sample_weights_ || targets.size() != output_names_.size()) return absl::OkStatus();
  const std::span<const int64_t> shape = targets.front().shape;
  ones_shape_.assign(1, shape.empty() ? 1 : shape.front());
  if (ones_.num_elements() < ones_shape_.front()) {
    auto ones = runtime::Tensor::Create(loss_.dtype(), ones_shape_);
    if (!ones.ok()) return ones.status();
    ones_ = *std::move(ones);
    Fill(ones_, 1);
  }
  arguments_.emplace_back(ones_.raw(), ones_.dtype(), ones_shape_);
  return absl::OkStatus();
}

absl::Status Trainer::Step(std::span<const TensorView> inputs,
                           std::span<const TensorView> targets) {
  if (absl::Status s = SetBatch(inputs, targets); !s.ok()) return s;
  results_.clear();
  results_.emplace_back(loss_);
  for (runtime::Tensor& s : sums_) results_.emplace_back(s);
  if (rate_used_.raw() != nullptr) results_.emplace_back(rate_used_);
  for (runtime::Tensor& n : norms_) results_.emplace_back(n);
  for (NamedTensor& p : parameters_) arguments_.emplace_back(p.tensor);
  for (const size_t p : updated_) results_.emplace_back(parameters_[p].tensor);
  for (NamedTensor& s : state_) {
    arguments_.emplace_back(s.tensor);
    results_.emplace_back(s.tensor);
  }
  arguments_.emplace_back(learning_rate_tensor_);
  arguments_.emplace_back(step_);
  if (draws_random_) arguments_.emplace_back(seed_);
  results_.emplace_back(step_);
  return train_step_->Run(arguments_, results_, threads_);
}

void Trainer::AddBatch(MetricTotals& totals, int64_t samples) const {
  totals.Add(ReadScalar(loss_), samples, sums_);
}

void Trainer::KeepGraph(std::shared_ptr<const ir::Module> graph, std::string pipeline,
                        ir::Target target) {
  graph_ = std::move(graph);
  pipeline_ = std::move(pipeline);
  target_ = std::move(target);
}

double Trainer::StepLoss() const { return ReadScalar(loss_); }

MetricTotals Trainer::NewTotals() const {
  MetricTotals totals = totals_;
  totals.Clear();
  return totals;
}

History Trainer::NewHistory() const {
  History history;
  history.metric_names = metric_names_;
  history.model = model_name_;
  history.layers = ModelRows();
  history.parameters = num_parameters_;
  history.compile_ms = report_.total_ms;
  history.from_cache = report_.from_cache;
  return history;
}

absl::StatusOr<Evaluation> Trainer::TrainStep(std::span<const TensorView> inputs,
                                              std::span<const TensorView> targets) {
  if (absl::Status s = Step(inputs, targets); !s.ok()) return s;
  totals_.Clear();
  AddBatch(totals_, 1);
  return totals_.Values(false);
}

}  // namespace gradus
