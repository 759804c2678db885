#pragma once

// A compiled model with its weights: summary, fit, evaluate, predict. A training step is one call
// of compiled code and performs no heap allocation.

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "frontend/bound_entry.h"
#include "frontend/compile.h"
#include "frontend/data/batches.h"
#include "frontend/training/fit_options.h"
#include "frontend/training/history.h"
#include "frontend/training/metric_totals.h"
#include "frontend/weights.h"
#include "runtime/safetensors.h"
#include "runtime/tensor.h"

namespace gradus {

struct LoadOptions {
  bool allow_missing = false;  // parameters that the source does not have stay as they are
  bool allow_extra = false;    // what the model does not have is skipped
};

class Trainer {
 public:
  static absl::StatusOr<Trainer> Create(const Model& model, const TrainingOptions& training,
                                        std::vector<codegen::LoadedEntry> entries,
                                        const CompileReport& report);

  // Layers, output shapes, parameters, the kernels of the forward pass that their nodes ended in,
  // and the workspace with every symbol at `batch`.
  void Summary(std::FILE* out = stdout, int64_t batch = 32) const;
  std::string SummaryText(int64_t batch = 32) const;
  // The lines of the summary, without inputs.
  std::vector<ModelRow> ModelRows() const;
  // The graph of @forward before any pass and how it was compiled, for ModelRows.
  void KeepGraph(std::shared_ptr<const ir::Module> graph, std::string pipeline, ir::Target target);
  const CompileReport& compile_report() const { return report_; }
  int64_t num_parameters() const { return num_parameters_; }
  const std::vector<std::string>& metric_names() const { return metric_names_; }
  const std::vector<std::string>& input_names() const { return input_names_; }
  const std::vector<std::string>& output_names() const { return output_names_; }
  const gradus_entry_info& forward_info() const { return forward_->executable().info(); }

  // New weights from a seed, and a fresh optimiser. Random layers draw from the same seed.
  absl::Status Reset(uint64_t seed);

  absl::StatusOr<History> Fit(const data::Dataset& train, const FitOptions& options);
  absl::StatusOr<Evaluation> Evaluate(const data::Dataset& data, int64_t batch_size = 256);
  // The outputs for all samples: one tensor an output, [samples, ...].
  absl::StatusOr<std::vector<runtime::Tensor>> Predict(const data::Dataset& data,
                                                       int64_t batch_size = 256);
  // One step on one batch; arrays in the order of the model's inputs and outputs.
  absl::StatusOr<Evaluation> TrainStep(std::span<const runtime::TensorView> inputs,
                                       std::span<const runtime::TensorView> targets);
  // The outputs for one batch.
  absl::StatusOr<std::vector<runtime::Tensor>> Forward(std::span<const runtime::TensorView> inputs);

  // Weights by name: parameters and layers' states (running statistics). Types and shapes must be
  // the model's. An error lists what is missing, unknown or different, and nothing is changed;
  // `source` stands for the weights in it.
  absl::StatusOr<Weights> CloneWeights() const;
  absl::Status SetWeights(const Weights& weights, const LoadOptions& options = {},
                          std::string_view source = "the weights");
  // One safetensors file; LoadWeights reads checkpoints, too.
  absl::Status SaveWeights(std::string_view path) const;
  absl::Status LoadWeights(std::string_view path, const LoadOptions& options = {});
  // One file of NumPy a parameter in a folder that is there, "hidden.kernel.npy"; a / in a name is
  // written %2F.
  absl::Status SaveWeightsNpy(std::string_view folder) const;
  absl::Status LoadWeightsNpy(std::string_view folder, const LoadOptions& options = {});

  // Texts that go into saved weights and checkpoints and come back from them: fitted preprocessing,
  // where the data came from. "" removes one. Metadata is "" where there is none.
  void SetMetadata(const std::string& key, std::string text);
  std::string Metadata(std::string_view key) const;
  const runtime::SafetensorsMetadata& metadata() const { return metadata_; }

  // All that the next steps follow from, beside the data, under the names of checkpoint.h. SetState
  // changes nothing on an error.
  std::vector<runtime::NamedTensorView> StateViews() const;
  absl::Status SetState(const runtime::Safetensors& file);
  // What a step changes: weights, optimiser, step.
  std::vector<runtime::Tensor*> StateTensors();
  // Whether no weight is NaN or infinite.
  bool IsFinite() const;

  // Names as "hidden.kernel"; null if there is none.
  const runtime::Tensor* Parameter(std::string_view name) const;
  absl::Status SetParameter(std::string_view name, runtime::TensorView value);
  std::vector<std::string> ParameterNames() const;

  // Evaluate and Predict with the moving averages of the weights instead of the weights, from the
  // first update on. An error if the model was compiled without average_decay.
  absl::Status UseAverages(bool use);

  // What the schedule, if there is one, made of the learning rate in the last step.
  double used_learning_rate() const;
  // With record_norms: the parameters whose norms a step gives, and those of the last step, in that
  // order. Allocates nothing.
  std::vector<std::string> NormNames() const;
  void ReadNorms(std::span<double> gradients, std::span<double> weights) const;

  // Before the schedule.
  double learning_rate() const { return learning_rate_; }
  void SetLearningRate(double rate);
  // Threads that steps may use; null: one. Must outlive the trainer.
  void SetThreads(const gradus_threads* threads) { threads_ = threads; }

 private:
  friend class FitLoop;  // frontend/training/fit.cpp

  Trainer() = default;
  // Of no batch and no epoch.
  MetricTotals NewTotals() const;
  History NewHistory() const;
  double StepLoss() const;  // of the last step
  absl::Status CheckData(const data::Dataset& data, bool with_targets) const;
  absl::Status CheckArray(const gradus_entry_info& entry, size_t argument, std::string_view what,
                          const data::NamedTensor& array) const;
  // Makes the arguments begin with a batch.
  absl::Status SetBatch(std::span<const runtime::TensorView> inputs,
                        std::span<const runtime::TensorView> targets);
  // Appends to the arguments the weights that Evaluate and Predict use.
  void AddWeights();
  absl::Status Step(std::span<const runtime::TensorView> inputs,
                    std::span<const runtime::TensorView> targets);
  // What the last call of train_step_ or evaluate_ gave, added to totals.
  void AddBatch(MetricTotals& totals, int64_t samples) const;

  struct NamedTensor {
    std::string name;
    runtime::Tensor tensor;
  };
  std::string model_name_;
  std::vector<LayerInfo> layers_;
  std::vector<std::string> input_names_, output_names_, metric_names_;
  int64_t num_parameters_ = 0;
  CompileReport report_;
  std::shared_ptr<const ir::Module> graph_;
  std::string pipeline_;
  ir::Target target_;
  mutable std::map<std::string, std::string, std::less<>> fused_into_;  // by layer, when asked
  std::optional<BoundEntry> init_, forward_, evaluate_, train_step_;
  std::vector<NamedTensor> parameters_, state_;
  std::vector<double> state_starts_;  // what each of state_ is filled with
  std::vector<size_t> updated_;       // of the parameters, those that a step gives, in its order
  bool draws_random_ = false, sample_weights_ = false;
  runtime::Tensor learning_rate_tensor_, step_, seed_;
  double learning_rate_ = 0;
  runtime::Tensor loss_;                // results of train_step and evaluate
  std::vector<runtime::Tensor> sums_;   // of the metrics
  runtime::Tensor rate_used_;           // a result of train_step, if there is a schedule
  std::vector<runtime::Tensor> norms_;  // of train_step, if recorded: gradient, weight, gradient...
  std::vector<std::pair<size_t, size_t>> averages_;  // places in parameters_ and in state_
  bool use_averages_ = false;
  MetricTotals totals_;   // of no batch; copied where batches are added
  runtime::Tensor ones_;  // the weights of data that has none
  std::vector<int64_t> ones_shape_;
  runtime::SafetensorsMetadata metadata_;  // of the user
  // Reused from call to call, so that a step allocates nothing.
  std::vector<runtime::TensorView> arguments_;
  std::vector<runtime::MutableTensorView> results_;
  const gradus_threads* threads_ = nullptr;
};

}  // namespace gradus
