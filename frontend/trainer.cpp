#include "frontend/trainer.h"

#include <algorithm>
#include <chrono>
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
  if (t.dtype() == runtime::DType::kF64) {
    std::ranges::fill(t.data<double>(), value);
  } else {
    std::ranges::fill(t.data<float>(), static_cast<float>(value));
  }
}

// Means over samples from means over batches of different sizes.
class RunningMean {
 public:
  explicit RunningMean(size_t metrics) : sums_(metrics) {}
  void Add(const Evaluation& batch, int64_t samples) {
    const auto weight = static_cast<double>(samples);
    samples_ += weight;
    loss_ += weight * batch.loss;
    for (size_t i = 0; i < sums_.size(); ++i) sums_[i] += weight * batch.metrics[i];
  }
  Evaluation Mean() const {
    Evaluation e{loss_ / samples_, sums_};
    for (double& m : e.metrics) m /= samples_;
    return e;
  }

 private:
  double samples_ = 0, loss_ = 0;
  absl::InlinedVector<double, 8> sums_;
};

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
  }
  const gradus_entry_info& evaluate = t.evaluate_->executable().info();
  for (int i = 0; i < evaluate.result_count; ++i) {
    if (i > 0) t.metric_names_.emplace_back(evaluate.results[i].name);
    auto scalar =
        runtime::Tensor::Zeros(static_cast<runtime::DType>(evaluate.results[i].dtype), {});
    if (!scalar.ok()) return scalar.status();
    t.scalars_.push_back(*std::move(scalar));
  }
  const gradus_entry_info& step_info = t.train_step_->executable().info();
  for (int i = evaluate.result_count; i < step_info.result_count; ++i) {
    const std::string_view name = step_info.results[i].name;
    for (size_t p = 0; p < t.parameters_.size(); ++p) {
      if (t.parameters_[p].name == name) t.updated_.push_back(p);
    }
  }
  t.draws_random_ = model.draws_random();
  auto seed = runtime::Tensor::Zeros(runtime::DType::kI64, {});
  if (!seed.ok()) return seed.status();
  t.seed_ = *std::move(seed);
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

absl::Status Trainer::CheckData(const data::Dataset& data, bool with_targets) const {
  auto check = [&](std::string_view what, size_t expected, std::span<const data::NamedTensor> got) {
    if (got.size() == expected) return absl::OkStatus();
    std::string names;
    for (const data::NamedTensor& g : got) names += (names.empty() ? "" : ", ") + g.name;
    return absl::InvalidArgumentError(
        fmt::format("model {} has {} {}{}, the data has {} ({})", model_name_, expected, what,
                    expected == 1 ? "" : "s", got.size(), names.empty() ? "none" : names));
  };
  if (data.samples() == 0) return absl::InvalidArgumentError("the data has no samples");
  if (absl::Status s = check("input", input_names_.size(), data.inputs()); !s.ok()) return s;
  const gradus_entry_info& info = evaluate_->executable().info();
  for (size_t i = 0; i < input_names_.size(); ++i) {
    if (absl::Status s = CheckArray(info, i, "input", data.inputs()[i]); !s.ok()) return s;
  }
  if (!with_targets) return absl::OkStatus();
  if (absl::Status s = check("target", output_names_.size(), data.targets()); !s.ok()) return s;
  for (size_t i = 0; i < output_names_.size(); ++i) {
    const size_t argument = input_names_.size() + i;
    if (absl::Status s = CheckArray(info, argument, "target", data.targets()[i]); !s.ok()) return s;
  }
  return absl::OkStatus();
}

// Whether an array of samples is what an argument takes; a symbol takes any size.
absl::Status Trainer::CheckArray(const gradus_entry_info& entry, size_t argument,
                                 std::string_view what, const data::NamedTensor& array) const {
  const gradus_tensor_info& info = entry.arguments[argument];
  const auto dtype = static_cast<runtime::DType>(info.dtype);
  const std::vector<int64_t>& shape = array.tensor.shape();
  bool fits = shape.size() == static_cast<size_t>(info.rank);
  std::string expected;
  for (int32_t axis = 0; axis < info.rank; ++axis) {
    const gradus_dim& d = info.dims[axis];
    expected += axis > 0 ? ", " : "";
    expected += d.symbol >= 0 ? std::string(entry.symbols[d.symbol]) : fmt::format("{}", d.size);
    fits = fits && (d.symbol >= 0 || d.size == shape[static_cast<size_t>(axis)]);
  }
  if (fits && dtype == array.tensor.dtype()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("model {}: {} {} takes {}[{}], but the data's \"{}\" is {}[{}]\n  help: {}",
                  model_name_, what, info.name, runtime::DTypeName(dtype), expected, array.name,
                  runtime::DTypeName(array.tensor.dtype()), fmt::join(shape, ", "),
                  fits ? fmt::format("make it of {}, for example with Tensor::FromVector",
                                     runtime::DTypeName(dtype))
                       : "the first axis counts samples; all others must agree with the model"));
}

// The arguments in the order of training_module.h, into memory that is kept.
absl::Status Trainer::Step(std::span<const TensorView> inputs,
                           std::span<const TensorView> targets) {
  arguments_.assign(inputs.begin(), inputs.end());
  arguments_.insert(arguments_.end(), targets.begin(), targets.end());
  results_.clear();
  for (runtime::Tensor& s : scalars_) results_.emplace_back(s);
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

Evaluation Trainer::Scalars() const {
  Evaluation e;
  e.loss = ReadScalar(scalars_[0]);
  for (size_t i = 1; i < scalars_.size(); ++i) e.metrics.push_back(ReadScalar(scalars_[i]));
  return e;
}

absl::StatusOr<Evaluation> Trainer::TrainStep(std::span<const TensorView> inputs,
                                              std::span<const TensorView> targets) {
  if (absl::Status s = Step(inputs, targets); !s.ok()) return s;
  return Scalars();
}

absl::StatusOr<History> Trainer::Fit(const data::Dataset& train, const FitOptions& options) {
  if (options.epochs < 0 || options.batch_size < 1) {
    return absl::InvalidArgumentError(
        fmt::format("fit: {} epochs of batches of {}, expected at least 0 and 1", options.epochs,
                    options.batch_size));
  }
  if (absl::Status s = CheckData(train, true); !s.ok()) return s;
  auto batches = data::Batches::Create(
      train, {.batch_size = options.batch_size, .shuffle = options.shuffle, .seed = options.seed});
  if (!batches.ok()) return batches.status();
  Progress progress(options.out, options.progress, options.epochs, batches->batches_per_epoch(),
                    metric_names_);
  History history;
  history.metric_names = metric_names_;
  for (int64_t epoch = 1; epoch <= options.epochs; ++epoch) {
    const auto start = std::chrono::steady_clock::now();
    progress.StartEpoch(epoch);
    batches->StartEpoch(epoch);
    RunningMean mean(metric_names_.size());
    for (int64_t step = 1; batches->Next(); ++step) {
      if (absl::Status s = Step(batches->inputs(), batches->targets()); !s.ok()) return s;
      mean.Add(Scalars(), batches->size());
      progress.Step(step, mean.Mean());
    }
    EpochRecord record;
    record.epoch = epoch;
    record.training = mean.Mean();
    record.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (options.validation != nullptr) {
      auto evaluation = Evaluate(*options.validation, std::max<int64_t>(options.batch_size, 256));
      if (!evaluation.ok()) return evaluation.status();
      record.validation = *std::move(evaluation);
    }
    progress.EndEpoch(record);
    history.epochs.push_back(std::move(record));
  }
  return history;
}

absl::StatusOr<Evaluation> Trainer::Evaluate(const data::Dataset& data, int64_t batch_size) {
  if (absl::Status s = CheckData(data, true); !s.ok()) return s;
  auto batches = data::Batches::Create(data, {.batch_size = batch_size, .shuffle = false});
  if (!batches.ok()) return batches.status();
  batches->StartEpoch(0);
  RunningMean mean(metric_names_.size());
  while (batches->Next()) {
    arguments_.assign(batches->inputs().begin(), batches->inputs().end());
    arguments_.insert(arguments_.end(), batches->targets().begin(), batches->targets().end());
    for (const NamedTensor& p : parameters_) arguments_.emplace_back(p.tensor);
    results_.clear();
    for (runtime::Tensor& s : scalars_) results_.emplace_back(s);
    if (absl::Status s = evaluate_->Run(arguments_, results_, threads_); !s.ok()) return s;
    mean.Add(Scalars(), batches->size());
  }
  return mean.Mean();
}

absl::StatusOr<std::vector<runtime::Tensor>> Trainer::Predict(const data::Dataset& data,
                                                              int64_t batch_size) {
  if (absl::Status s = CheckData(data, false); !s.ok()) return s;
  auto batches = data::Batches::Create(data, {.batch_size = batch_size, .shuffle = false});
  if (!batches.ok()) return batches.status();
  std::vector<runtime::Tensor> outputs;
  int64_t done = 0;
  batches->StartEpoch(0);
  while (batches->Next()) {
    arguments_.assign(batches->inputs().begin(), batches->inputs().end());
    for (const NamedTensor& p : parameters_) arguments_.emplace_back(p.tensor);
    auto dims = forward_->executable().BindSymbols(arguments_);
    if (!dims.ok()) return dims.status();
    results_.clear();
    std::vector<std::vector<int64_t>> shapes(output_names_.size());
    for (size_t i = 0; i < output_names_.size(); ++i) {
      auto shape = forward_->executable().ResultShape(static_cast<int64_t>(i), *dims);
      if (!shape.ok()) return shape.status();
      shapes[i] = *shape;
      if (shape->empty() || (*shape)[0] != batches->size()) {
        return absl::InvalidArgumentError(
            fmt::format("predict: output {} has no batch axis, so it cannot be joined over batches",
                        output_names_[i]));
      }
      if (outputs.size() <= i) {
        (*shape)[0] = data.samples();
        const auto dtype =
            static_cast<runtime::DType>(forward_->executable().info().results[i].dtype);
        auto whole = runtime::Tensor::Create(dtype, *std::move(shape));
        if (!whole.ok()) return whole.status();
        outputs.push_back(*std::move(whole));
      }
      const int64_t row_bytes = outputs[i].byte_size() / std::max<int64_t>(data.samples(), 1);
      auto* start = static_cast<std::byte*>(outputs[i].raw());
      results_.emplace_back(start == nullptr ? nullptr : start + done * row_bytes,
                            outputs[i].dtype(), shapes[i]);
    }
    if (absl::Status s = forward_->Run(arguments_, results_, threads_); !s.ok()) return s;
    done += batches->size();
  }
  return outputs;
}

}  // namespace gradus
