// Trainer::Evaluate and Predict: the model on data, batch by batch, without training.

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "frontend/trainer.h"

namespace gradus {

using runtime::TensorView;

absl::StatusOr<Evaluation> Trainer::Evaluate(const data::Dataset& data, int64_t batch_size) {
  if (absl::Status s = CheckData(data, true); !s.ok()) return s;
  auto batches = data::Batches::Create(data, {.batch_size = batch_size, .shuffle = false});
  if (!batches.ok()) return batches.status();
  batches->StartEpoch(0);
  MetricTotals totals = NewTotals();
  while (batches->Next()) {
    if (absl::Status s = SetBatch(batches->inputs(), batches->targets()); !s.ok()) return s;
    AddWeights();
    results_.clear();
    results_.emplace_back(loss_);
    for (runtime::Tensor& s : sums_) results_.emplace_back(s);
    if (absl::Status s = evaluate_->Run(arguments_, results_, threads_); !s.ok()) return s;
    AddBatch(totals, batches->size());
  }
  return totals.Values(true);
}

absl::StatusOr<std::vector<runtime::Tensor>> Trainer::Forward(std::span<const TensorView> inputs) {
  if (inputs.size() != input_names_.size()) {
    return absl::InvalidArgumentError(fmt::format("forward: model {} has {} inputs, got {}",
                                                  model_name_, input_names_.size(), inputs.size()));
  }
  arguments_.assign(inputs.begin(), inputs.end());
  for (const NamedTensor& p : parameters_) arguments_.emplace_back(p.tensor);
  auto dims = forward_->executable().BindSymbols(arguments_);
  if (!dims.ok()) return dims.status();
  std::vector<runtime::Tensor> outputs;
  results_.clear();
  for (size_t i = 0; i < output_names_.size(); ++i) {
    auto shape = forward_->executable().ResultShape(static_cast<int64_t>(i), *dims);
    if (!shape.ok()) return shape.status();
    auto output = runtime::Tensor::Create(
        static_cast<runtime::DType>(forward_info().results[i].dtype), *std::move(shape));
    if (!output.ok()) return output.status();
    outputs.push_back(*std::move(output));
  }
  for (runtime::Tensor& output : outputs) results_.emplace_back(output);
  if (absl::Status s = forward_->Run(arguments_, results_, threads_); !s.ok()) return s;
  return outputs;
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
    AddWeights();
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
