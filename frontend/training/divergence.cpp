#include "frontend/training/divergence.h"

#include <cmath>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "frontend/trainer.h"

namespace gradus {
namespace {

using runtime::TensorView;

template <typename T>
int64_t FirstOf(const void* data, int64_t count) {
  const T* values = static_cast<const T*>(data);
  for (int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(values[i])) return i;
  }
  return -1;
}

int64_t CountOf(std::span<const int64_t> shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

double ElementAt(TensorView t, int64_t i) {
  return t.dtype == runtime::DType::kF64
             ? static_cast<const double*>(t.data)[i]
             : static_cast<double>(static_cast<const float*>(t.data)[i]);
}

std::vector<int64_t> Position(std::span<const int64_t> shape, int64_t element) {
  std::vector<int64_t> position(shape.size());
  for (size_t axis = shape.size(); axis-- > 0;) {
    position[axis] = element % shape[axis];
    element /= shape[axis];
  }
  return position;
}

// "element [3, 0] of x is nan"; nothing if all elements are numbers.
std::optional<std::string> Bad(std::string_view name, TensorView t) {
  const int64_t i = FirstNonFinite(t);
  if (i < 0) return std::nullopt;
  return fmt::format("element [{}] of {} is {}", fmt::join(Position(t.shape, i), ", "), name,
                     ElementAt(t, i));
}

// The batch holds something that is no number.
std::optional<std::string> BadBatch(const Trainer& trainer, const data::Batches& batches) {
  const auto look = [&](std::string_view what, std::span<const TensorView> views,
                        std::span<const std::string> names) -> std::optional<std::string> {
    for (size_t i = 0; i < views.size(); ++i) {
      const int64_t element = FirstNonFinite(views[i]);
      if (element < 0) continue;
      const std::string name = i < names.size() ? names[i] : fmt::format("{}", i);
      const int64_t row = batches.rows()[static_cast<size_t>(Position(views[i].shape, element)[0])];
      return fmt::format("the {} \"{}\": {} of the batch, sample {} of the data", what, name,
                         *Bad(name, views[i]), row);
    }
    return std::nullopt;
  };
  if (auto bad = look("input", batches.inputs(), trainer.input_names())) return bad;
  return look("target of output", batches.targets(), trainer.output_names());
}

// The loss is no number, its inputs and weights are: what is the first in between that we see?
std::string BadForward(Trainer& trainer, const data::Batches& batches, double loss) {
  auto outputs = trainer.Forward(batches.inputs());
  if (outputs.ok()) {
    for (size_t i = 0; i < outputs->size(); ++i) {
      const std::string& name = trainer.output_names()[i];
      if (auto bad = Bad(name, (*outputs)[i])) {
        return fmt::format("the output {}: {}, of inputs and weights that are numbers", name, *bad);
      }
    }
  }
  return fmt::format("the loss: it is {}, of outputs and targets that are numbers", loss);
}

// What the step left: the state of the optimiser tells of gradients.
std::optional<std::string> BadState(const Trainer& trainer) {
  const std::string optimizer = "gradus/optimizer/";
  std::vector<runtime::NamedTensorView> views = trainer.StateViews();
  for (const auto& [name, view] : views) {
    if (!name.starts_with(optimizer)) continue;
    const std::string slot = name.substr(optimizer.size());
    if (slot.ends_with("/average")) continue;  // of the weights, which are looked at below
    if (auto bad = Bad(slot, view)) {
      return fmt::format("the gradient of {}: {}", slot.substr(0, slot.rfind('/')), *bad);
    }
  }
  for (const auto& [name, view] : views) {
    if (auto bad = Bad(name, view)) {
      return fmt::format(
          "the parameter {}: {} after the update, so its gradient or step is too large", name,
          *bad);
    }
  }
  return std::nullopt;
}

}  // namespace

int64_t FirstNonFinite(TensorView t) {
  const int64_t count = CountOf(t.shape);
  if (t.dtype == runtime::DType::kF32) return FirstOf<float>(t.data, count);
  if (t.dtype == runtime::DType::kF64) return FirstOf<double>(t.data, count);
  return -1;
}

absl::Status StateCopy::Save(Trainer& trainer) {
  const std::vector<runtime::Tensor*> state = trainer.StateTensors();
  if (tensors_.size() != state.size()) {
    tensors_.clear();
    for (const runtime::Tensor* t : state) {
      auto copy = t->Clone();
      if (!copy.ok()) return copy.status();
      tensors_.push_back(*std::move(copy));
    }
    return absl::OkStatus();
  }
  for (size_t i = 0; i < state.size(); ++i) {
    const auto bytes = static_cast<size_t>(state[i]->byte_size());
    if (bytes > 0) std::memcpy(tensors_[i].raw(), state[i]->raw(), bytes);
  }
  return absl::OkStatus();
}

void StateCopy::Restore(Trainer& trainer) const {
  const std::vector<runtime::Tensor*> state = trainer.StateTensors();
  for (size_t i = 0; i < tensors_.size() && i < state.size(); ++i) {
    const auto bytes = static_cast<size_t>(state[i]->byte_size());
    if (bytes > 0) std::memcpy(state[i]->raw(), tensors_[i].raw(), bytes);
  }
}

absl::Status ExplainDivergence(Trainer& trainer, data::Batches& batches, const DivergedFit& fit) {
  fit.begin.Restore(trainer);
  batches.StartEpoch(fit.epoch, fit.first_step);
  StateCopy before;
  std::optional<double> last_loss;
  for (int64_t step = fit.first_step + 1; step <= fit.last_step && batches.Next(); ++step) {
    if (absl::Status s = before.Save(trainer); !s.ok()) return s;
    std::optional<std::string> bad = BadBatch(trainer, batches);
    const auto result = trainer.TrainStep(batches.inputs(), batches.targets());
    if (!result.ok()) return result.status();
    const double loss = result->loss;
    if (!bad && std::isfinite(loss)) bad = BadState(trainer);
    if (!bad && std::isfinite(loss)) {
      last_loss = loss;
      continue;
    }
    before.Restore(trainer);
    if (!bad) bad = BadForward(trainer, batches, loss);
    const std::string where =
        fmt::format("at step {} (epoch {}, step {} of {})", fit.steps_before_epoch + step,
                    fit.epoch, step, batches.batches_per_epoch());
    std::string text =
        std::isfinite(loss)
            ? fmt::format("fit: the weights are no numbers any more {}, the loss {} still is one",
                          where, loss)
            : fmt::format("fit: the loss is {} {}", loss, where);
    text += "\n  first bad: " + *bad;
    if (last_loss) text += fmt::format("\n  the loss before was {:.6g}", *last_loss);
    text += fmt::format(
        "\n  the learning rate is {:.6g}; the weights are those before this step\n  help: look "
        "for missing numbers in the data; else a smaller learning rate or clipping of gradients",
        trainer.learning_rate());
    return absl::FailedPreconditionError(text);
  }
  return absl::FailedPreconditionError(
      fmt::format("fit: the loss was not finite in epoch {}, step {}, but is when the steps are "
                  "done again: something between the steps changed the weights or the rate",
                  fit.epoch, fit.last_step));
}

}  // namespace gradus
