#include "frontend/weight_update.h"

namespace gradus {
namespace {

// Takes tensors off the front of the state, in the order of TrainingState.
class StateReader {
 public:
  explicit StateReader(std::span<const Tensor> state) : rest_(state) {}
  Tensor Next() { return Next(1).front(); }
  std::span<const Tensor> Next(size_t n) {
    const auto taken = rest_.first(n);
    rest_ = rest_.subspan(n);
    return taken;
  }

 private:
  std::span<const Tensor> rest_;
};

// The mean gradient over all samples since the last update.
struct Accumulated {
  std::vector<Tensor> gradients;
  std::vector<Tensor> state;
  Tensor apply;  // i1: this batch completes an update
};

// Gradients of mean losses are weighed by the samples of their batches. After an update the sums
// start again from zero.
Accumulated Accumulate(const UpdateInput& in, std::span<const Tensor> sums, Tensor samples,
                       Tensor batches, int64_t wanted) {
  Accumulated a;
  const Tensor all = samples + in.samples;
  const Tensor count = batches + 1;
  a.apply = equal(count, static_cast<double>(wanted));
  const Tensor scale = 1.0 / all;
  for (size_t i = 0; i < sums.size(); ++i) {
    const Tensor sum = sums[i] + in.gradients[i] * in.samples;
    a.gradients.push_back(sum * scale);
    a.state.push_back(select(a.apply, 0, sum));
  }
  a.state.push_back(select(a.apply, 0, all));
  a.state.push_back(select(a.apply, 0, count));
  return a;
}

}  // namespace

std::vector<StateTensor> TrainingState(const Model& model, const TrainingOptions& options) {
  std::vector<StateTensor> state;
  const auto for_each = [&](auto&& add) {
    for (const ir::Parameter& p : model.module().parameters()) {
      if (p.trainable) add(p);
    }
  };
  const std::vector<Slot> slots = options.optimizer->slots();
  for_each([&](const ir::Parameter& p) {
    for (const Slot& s : slots) state.push_back({p.name + "/" + s.name, p.type, s.start});
  });
  if (options.accumulate_batches > 1) {
    for_each([&](const ir::Parameter& p) { state.push_back({p.name + "/gradient", p.type}); });
    state.push_back({"accumulated_samples", {model.dtype(), {}}});
    state.push_back({"accumulated_batches", {DType::kI64, {}}});
  }
  if (options.average_decay > 0) {
    for_each([&](const ir::Parameter& p) { state.push_back({p.name + "/average", p.type}); });
  }
  return state;
}

UpdateOutput UpdateWeights(const UpdateInput& in, const TrainingOptions& options) {
  UpdateOutput out;
  const size_t n = in.parameters.size();
  const DType dtype = in.learning_rate.dtype();
  StateReader state(in.state);
  const size_t slots = options.optimizer->slots().size();
  const std::span<const Tensor> slot_values = state.Next(slots * n);

  std::vector<Tensor> gradients(in.gradients.begin(), in.gradients.end());
  Accumulated accumulated;
  if (options.accumulate_batches > 1) {
    const std::span<const Tensor> sums = state.Next(n);
    const Tensor samples = state.Next();
    accumulated = Accumulate(in, sums, samples, state.Next(), options.accumulate_batches);
    gradients = accumulated.gradients;
  }
  // What a batch that completes no update leaves as it was.
  const auto applied = [&](Tensor next, Tensor old) {
    return accumulated.apply ? select(accumulated.apply, next, old) : next;
  };

  if (options.clipping) gradients = options.clipping(gradients);
  out.learning_rate = in.learning_rate;
  if (options.schedule) {
    out.learning_rate = out.learning_rate * options.schedule(cast(in.step, dtype));
  }
  const Tensor next_step = in.step + 1;
  UpdateContext context{.learning_rate = out.learning_rate, .step = cast(next_step, dtype)};
  context.common = options.optimizer->Prepare(context.learning_rate, context.step);
  for (size_t i = 0; i < n; ++i) {
    context.parameter = in.parameters[i];
    context.gradient = gradients[i];
    const std::span<const Tensor> own = slot_values.subspan(i * slots, slots);
    context.state.assign(own.begin(), own.end());
    const Update update = options.optimizer->Apply(context);
    out.parameters.push_back(applied(update.parameter, context.parameter));
    for (size_t k = 0; k < slots; ++k) out.state.push_back(applied(update.state[k], own[k]));
  }
  out.state.insert(out.state.end(), accumulated.state.begin(), accumulated.state.end());
  if (options.average_decay > 0) {
    const double decay = options.average_decay;
    const Tensor first = equal(in.step, 0);
    for (size_t i = 0; i < n; ++i) {
      const Tensor old = select(first, in.parameters[i], state.Next());
      out.state.push_back(applied(old * decay + out.parameters[i] * (1 - decay), old));
    }
  }
  out.step = applied(next_step, in.step);
  return out;
}

Tensor BatchNumber(Tensor step, std::span<const Tensor> state, const TrainingOptions& options) {
  if (options.accumulate_batches <= 1) return step;
  for (const Tensor s : state) {
    if (s.node()->name() == "accumulated_batches") {
      return step * static_cast<double>(options.accumulate_batches) + s;
    }
  }
  return step;
}

}  // namespace gradus
