#include "frontend/activations.h"

#include <array>
#include <string_view>

namespace gradus {
namespace {

template <typename F>
struct Named {
  F function;
  std::string_view name;
  double number = 0;
};

const std::array<Named<Activation::Function>, 10> kPlain = {{
    {linear, "linear"},
    {ir::relu, "relu"},
    {ir::sigmoid, "sigmoid"},
    {ir::tanh, "tanh"},
    {ir::selu, "selu"},
    {ir::gelu, "gelu"},
    {ir::gelu_tanh, "gelu_tanh"},
    {ir::silu, "silu"},
    {ir::softplus, "softplus"},
    {ir::hard_sigmoid, "hard_sigmoid"},
}};

const std::array<Named<Activation::FunctionOfNumber>, 2> kOfNumber = {{
    {ir::leaky_relu, "leaky_relu", 0.2},
    {ir::elu, "elu", 1.0},
}};

const std::array<Named<Activation::FunctionOfAxis>, 2> kOfAxis = {{
    {ir::softmax, "softmax"},
    {ir::log_softmax, "log_softmax"},
}};

template <typename F, size_t N>
Named<F> Find(const std::array<Named<F>, N>& table, F function) {
  for (const Named<F>& entry : table) {
    if (entry.function == function) return entry;
  }
  return {function, "custom"};
}

}  // namespace

Tensor linear(Operand x) { return x.value(); }

Activation::Activation(Function f) : name_(Find(kPlain, f).name), function_(f) {}

Activation::Activation(FunctionOfNumber f) : Activation(f, Find(kOfNumber, f).number) {}

Activation::Activation(FunctionOfNumber f, double number)
    : name_(Find(kOfNumber, f).name), function_of_number_(f), number_(number) {}

Activation::Activation(FunctionOfAxis f) : name_(Find(kOfAxis, f).name), function_of_axis_(f) {}

Tensor Activation::operator()(Operand x) const {
  if (function_of_number_ != nullptr) return function_of_number_(x, number_);
  if (function_of_axis_ != nullptr) return function_of_axis_(x, -1);
  return function_(x);
}

}  // namespace gradus
