// Cases of normalisation: batchnorm*, layernorm*, groupnorm. Their loss is mean(tanh(y)^2).

#include <array>

#include "fmt/format.h"
#include "frontend/normalization.h"
#include "tests/refs/models.h"

namespace gradus::refs {
namespace {

absl::StatusOr<double> Stated(const CaseGraph& c, std::string_view key) {
  if (const auto number = NumberAfter(c.reference.text, key)) return *number;
  return absl::InvalidArgumentError(
      fmt::format("{}: the case does not state \"{}\"", c.reference.name, key));
}

absl::Status Finish(CaseGraph& c, Tensor y) {
  c.Output("y", y);
  c.loss = reduce_mean(square(tanh(y)));
  return absl::OkStatus();
}

absl::Status BatchNormTrain(CaseGraph& c) {
  const auto epsilon = Stated(c, "eps "), momentum = Stated(c, "momentum ");
  if (!epsilon.ok()) return epsilon.status();
  if (!momentum.ok()) return momentum.status();
  const Tensor x = c.in("x");  // channels first
  const Axes others = {0, 2, 3};
  const Tensor mean = reduce_mean(x, others), var = variance(x, others);
  const Tensor n = count(x, others);
  const auto moved = [&](Tensor old, Tensor to) { return old * *momentum + to * (1 - *momentum); };
  c.Output("new_mean", moved(c.in("mean"), mean));
  c.Output("new_var", moved(c.in("var"), var));
  c.Output("new_var_unbiased", moved(c.in("var"), var * (n / (n - 1))));
  return Finish(c,
                normalize_channels(x, 1, mean, var, c.param("gamma"), c.param("beta"), *epsilon));
}

absl::Status BatchNormEval(CaseGraph& c) {
  const auto epsilon = Stated(c, "eps ");
  if (!epsilon.ok()) return epsilon.status();
  return Finish(c, normalize_channels(c.in("x"), 1, c.in("mean"), c.in("var"), c.param("gamma"),
                                      c.param("beta"), *epsilon));
}

absl::Status LayerNormCase(CaseGraph& c) {
  const auto epsilon = Stated(c, "eps "), last = Stated(c, "last ");
  if (!epsilon.ok()) return epsilon.status();
  if (!last.ok()) return last.status();
  Axes axes;
  for (auto axis = -static_cast<int64_t>(*last); axis < 0; ++axis) axes.push_back(axis);
  return Finish(c, standardize(c.in("x"), axes, *epsilon) * c.param("gamma") + c.param("beta"));
}

absl::Status GroupNormCase(CaseGraph& c) {
  const auto epsilon = Stated(c, "eps "), groups = Stated(c, "GroupNormalization, ");
  if (!epsilon.ok()) return epsilon.status();
  if (!groups.ok()) return groups.status();
  const Tensor x = c.in("x");  // channels first
  const auto of_channels = [&](const char* name) {
    return broadcast(c.param(name), x.shape(), {1});
  };
  const Tensor y = standardize_groups(x, static_cast<int64_t>(*groups), 1, *epsilon);
  return Finish(c, y * of_channels("gamma") + of_channels("beta"));
}

const std::array<NamedModel, 5> kModels = {{
    {"batchnorm2d_train", BatchNormTrain},
    {"batchnorm_dense_eval", BatchNormEval},
    {"groupnorm", GroupNormCase},
    {"layernorm_last", LayerNormCase},
    {"layernorm_last2", LayerNormCase},
}};

}  // namespace

std::span<const NamedModel> NormalizationModels() { return kModels; }

}  // namespace gradus::refs
