// Cases with layers: mlp_*, loss_*, opt_*.

#include <algorithm>
#include <array>

#include "fmt/format.h"
#include "tests/refs/models.h"

namespace gradus::refs {
namespace {

Tensor DenseOf(const CaseGraph& c, Tensor x, int layer) {
  return matmul(x, c.param(fmt::format("W{}", layer))) + c.param(fmt::format("b{}", layer));
}

absl::Status Missing(const CaseGraph& c, std::string_view what) {
  return absl::InvalidArgumentError(
      fmt::format("{}: the case does not state {}", c.reference.name, what));
}

// Dense, activation, Dense, mean squared error.
template <typename Activate>
absl::Status Mlp(CaseGraph& c, Activate activate) {
  const Tensor hidden = activate(DenseOf(c, c.in("x"), 1));
  const Tensor y = DenseOf(c, hidden, 2);
  c.Output("hidden", hidden);
  c.Output("y", y);
  c.loss = mean_squared_error(c.in("target"), y);
  return absl::OkStatus();
}

// Dense tanh, Dense: the network of the losses and optimisers.
Tensor TanhNetwork(const CaseGraph& c) { return DenseOf(c, tanh(DenseOf(c, c.in("x"), 1)), 2); }

template <typename LossOf>
absl::Status LossCase(CaseGraph& c, LossOf loss) {
  const Tensor y = TanhNetwork(c);
  c.Output("y", y);
  c.loss = loss(c.in("target"), y);
  return absl::OkStatus();
}

absl::Status LeakyRelu(CaseGraph& c) {
  const auto slope = NumberAfter(c.reference.text, "slope ");
  if (!slope) return Missing(c, "the slope");
  return Mlp(c, [&](Tensor z) { return leaky_relu(z, *slope); });
}

absl::Status Elu(CaseGraph& c) {
  const auto alpha = NumberAfter(c.reference.text, "alpha ");
  if (!alpha) return Missing(c, "alpha");
  return Mlp(c, [&](Tensor z) { return elu(z, *alpha); });
}

absl::Status Huber(CaseGraph& c) {
  const auto delta = NumberAfter(c.reference.text, "delta ");
  if (!delta) return Missing(c, "delta");
  return LossCase(c, [&](Tensor t, Tensor y) { return huber(t, y, *delta); });
}

// "logits scaled by 40".
template <typename LossOf>
absl::Status ScaledLogits(CaseGraph& c, LossOf loss) {
  const auto scale = NumberAfter(c.reference.text, "scaled by ");
  if (!scale) return Missing(c, "the scale of the logits");
  const Tensor y = TanhNetwork(c) * *scale;
  c.Output("y", y);
  c.loss = loss(c.in("target"), y);
  return absl::OkStatus();
}

absl::Status L2(CaseGraph& c) {
  const auto factor = NumberAfter(c.reference.text, "mse + ");
  if (!factor) return Missing(c, "the factor of the regularisation");
  const Tensor y = TanhNetwork(c);
  c.Output("y", y);
  c.loss = mean_squared_error(c.in("target"), y) +
           *factor * (reduce_sum(square(c.param("W1"))) + reduce_sum(square(c.param("W2"))));
  return absl::OkStatus();
}

absl::Status OnSigmoid(CaseGraph& c) {
  const Tensor y = sigmoid(TanhNetwork(c));
  c.Output("y", y);
  c.loss = binary_crossentropy(c.in("target"), y);
  return absl::OkStatus();
}

absl::Status OnSoftmax(CaseGraph& c) {
  const Tensor y = softmax(TanhNetwork(c));
  c.Output("y", y);
  c.loss = categorical_crossentropy(c.in("target"), y);
  return absl::OkStatus();
}

absl::Status MeanSquaredError(CaseGraph& c) {
  return LossCase(c, [](Tensor t, Tensor y) { return mean_squared_error(t, y); });
}

const std::array<NamedModel, 34> kModels = {{
    {"mlp_elu", Elu},
    {"mlp_gelu", [](CaseGraph& c) { return Mlp(c, [](Tensor z) { return gelu(z); }); }},
    {"mlp_gelu_tanh", [](CaseGraph& c) { return Mlp(c, [](Tensor z) { return gelu_tanh(z); }); }},
    {"mlp_hard_sigmoid",
     [](CaseGraph& c) { return Mlp(c, [](Tensor z) { return hard_sigmoid(z); }); }},
    {"mlp_leaky_relu", LeakyRelu},
    {"mlp_linear", [](CaseGraph& c) { return Mlp(c, [](Tensor z) { return z; }); }},
    {"mlp_prelu",
     [](CaseGraph& c) { return Mlp(c, [&](Tensor z) { return prelu(z, c.param("alpha")); }); }},
    {"mlp_relu", [](CaseGraph& c) { return Mlp(c, [](Tensor z) { return relu(z); }); }},
    {"mlp_selu", [](CaseGraph& c) { return Mlp(c, [](Tensor z) { return selu(z); }); }},
    {"mlp_sigmoid", [](CaseGraph& c) { return Mlp(c, [](Tensor z) { return sigmoid(z); }); }},
    {"mlp_silu", [](CaseGraph& c) { return Mlp(c, [](Tensor z) { return silu(z); }); }},
    {"mlp_softmax", [](CaseGraph& c) { return Mlp(c, [](Tensor z) { return softmax(z); }); }},
    {"mlp_softplus", [](CaseGraph& c) { return Mlp(c, [](Tensor z) { return softplus(z); }); }},
    {"mlp_tanh", [](CaseGraph& c) { return Mlp(c, [](Tensor z) { return tanh(z); }); }},
    {"loss_bce", OnSigmoid},
    {"loss_bce_with_logits",
     [](CaseGraph& c) {
       return LossCase(c, [](Tensor t, Tensor y) { return binary_crossentropy_from_logits(t, y); });
     }},
    {"loss_bce_with_logits_large",
     [](CaseGraph& c) {
       return ScaledLogits(
           c, [](Tensor t, Tensor y) { return binary_crossentropy_from_logits(t, y); });
     }},
    {"loss_cce", OnSoftmax},
    {"loss_huber", Huber},
    {"loss_l2_regularised", L2},
    {"loss_mae",
     [](CaseGraph& c) {
       return LossCase(c, [](Tensor t, Tensor y) { return mean_absolute_error(t, y); });
     }},
    {"loss_mse", MeanSquaredError},
    {"loss_sparse_cce_logits",
     [](CaseGraph& c) {
       return LossCase(
           c, [](Tensor t, Tensor y) { return sparse_categorical_crossentropy_from_logits(t, y); });
     }},
    {"loss_sparse_cce_logits_large",
     [](CaseGraph& c) {
       return ScaledLogits(
           c, [](Tensor t, Tensor y) { return sparse_categorical_crossentropy_from_logits(t, y); });
     }},
    {"opt_adagrad", MeanSquaredError},
    {"opt_adam", MeanSquaredError},
    {"opt_adam_amsgrad", MeanSquaredError},
    {"opt_adam_clipnorm", MeanSquaredError},
    {"opt_adam_keras", MeanSquaredError},
    {"opt_adamw", MeanSquaredError},
    {"opt_rmsprop", MeanSquaredError},
    {"opt_sgd", MeanSquaredError},
    {"opt_sgd_momentum", MeanSquaredError},
    {"opt_sgd_nesterov", MeanSquaredError},
}};

}  // namespace

std::span<const NamedModel> NetworkModels() { return kModels; }

BuildCase FindModel(const RefCase& reference) {
  for (const auto models : {NetworkModels(), ConvolutionModels(), RecurrentModels(),
                            NormalizationModels(), AttentionModels(), OpModels()}) {
    for (const NamedModel& m : models) {
      if (m.name == reference.name) return m.build;
    }
  }
  return nullptr;
}

namespace {

// Every kind and the numbers and flags that it understands.
struct OptimizerKind {
  std::string_view kind;
  std::vector<std::string_view> known;
  AnyOptimizer (*make)(const RefOptimizer& o);
};

double Number(const RefOptimizer& o, const char* key) {
  const auto it = o.numbers.find(key);
  return it == o.numbers.end() ? 0.0 : it->second;
}

bool Flag(const RefOptimizer& o, std::string_view key) {
  return std::ranges::find(o.flags, key) != o.flags.end();
}

AnyOptimizer AdamOf(const RefOptimizer& o, AdamEpsilon form) {
  return Adam({.learning_rate = Number(o, "lr"),
               .beta1 = Number(o, "beta1"),
               .beta2 = Number(o, "beta2"),
               .epsilon = Number(o, "eps"),
               .epsilon_form = form,
               .amsgrad = Flag(o, "amsgrad")});
}

const std::vector<OptimizerKind>& OptimizerKinds() {
  static const std::vector<OptimizerKind> kinds = {
      {"sgd",
       {"lr", "momentum", "nesterov"},
       [](const RefOptimizer& o) -> AnyOptimizer {
         return SGD({.learning_rate = Number(o, "lr"),
                     .momentum = Number(o, "momentum"),
                     .nesterov = Flag(o, "nesterov")});
       }},
      {"adagrad",
       {"lr", "initial_accumulator", "eps"},
       [](const RefOptimizer& o) -> AnyOptimizer {
         return Adagrad({.learning_rate = Number(o, "lr"),
                         .initial_accumulator = Number(o, "initial_accumulator"),
                         .epsilon = Number(o, "eps")});
       }},
      {"rmsprop",
       {"lr", "rho", "eps", "momentum", "centered"},
       [](const RefOptimizer& o) -> AnyOptimizer {
         return RMSprop({.learning_rate = Number(o, "lr"),
                         .rho = Number(o, "rho"),
                         .momentum = Number(o, "momentum"),
                         .epsilon = Number(o, "eps"),
                         .centered = Flag(o, "centered")});
       }},
      {"adam",
       {"lr", "beta1", "beta2", "eps", "amsgrad", "clipnorm"},
       [](const RefOptimizer& o) { return AdamOf(o, AdamEpsilon::kUsual); }},
      {"adam_keras",
       {"lr", "beta1", "beta2", "eps", "amsgrad", "clipnorm"},
       [](const RefOptimizer& o) { return AdamOf(o, AdamEpsilon::kKeras); }},
      {"adamw",
       {"lr", "beta1", "beta2", "eps", "weight_decay"},
       [](const RefOptimizer& o) -> AnyOptimizer {
         return AdamW({.learning_rate = Number(o, "lr"),
                       .beta1 = Number(o, "beta1"),
                       .beta2 = Number(o, "beta2"),
                       .epsilon = Number(o, "eps"),
                       .weight_decay = Number(o, "weight_decay"),
                       .epsilon_form = AdamEpsilon::kUsual});
       }},
  };
  return kinds;
}

}  // namespace

absl::StatusOr<AnyOptimizer> MakeOptimizer(const RefOptimizer& o) {
  for (const OptimizerKind& k : OptimizerKinds()) {
    if (k.kind != o.kind) continue;
    const auto known = [&](const std::string& key) {
      return std::ranges::find(k.known, key) != k.known.end();
    };
    const bool all = std::ranges::all_of(o.flags, known) &&
                     std::ranges::all_of(o.numbers, [&](const auto& n) { return known(n.first); });
    if (all) return k.make(o);
  }
  return absl::UnimplementedError(
      fmt::format("there is no optimiser {} with these options", o.kind));
}

Clipping MakeClipping(const RefOptimizer& o) {
  const double limit = Number(o, "clipnorm");
  return limit > 0 ? ClipByGlobalNorm(limit) : Clipping{};
}

}  // namespace gradus::refs
