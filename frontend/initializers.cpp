#include "frontend/initializers.h"

#include <array>
#include <cmath>
#include <string_view>

#include "fmt/format.h"

namespace gradus {
namespace {

// In f32 the smallest singular value of an n x n normal matrix, scaled to norm 1, is about n^-1.5
// and grows by 1.5 a step until it is near 1: 48 steps are enough for n = 100,000.
constexpr int kNewtonSchulzSteps = 48;

double Number(const ir::Parameter& p, std::string_view name) {
  for (const auto& [key, value] : p.initializer.numbers) {
    if (key == name) return value;
  }
  return 0;
}

struct Fans {
  double in = 1, out = 1;
};

Fans FansOf(const Shape& shape) {
  if (shape.rank() == 0) return {};
  if (shape.rank() == 1) {
    return {static_cast<double>(shape[0].size()), static_cast<double>(shape[0].size())};
  }
  double window = 1;
  for (int i = 0; i + 2 < shape.rank(); ++i) window *= static_cast<double>(shape[i].size());
  return {window * static_cast<double>(shape[shape.rank() - 2].size()),
          window * static_cast<double>(shape[shape.rank() - 1].size())};
}

struct Context {
  ir::Function& f;
  const ir::Parameter& parameter;
  Tensor seed;
  Tensor stream;
  Fans fans;

  Tensor Full(double value) const { return ir::constant(f, parameter.type, value); }
  Tensor Uniform(double low, double high) const {
    return random_uniform(seed, stream, parameter.type) * (high - low) + low;
  }
  Tensor Normal(double mean, double deviation) const {
    return random_normal(seed, stream, parameter.type) * deviation + mean;
  }
};

Tensor MakeValues(const Context& c) {
  const Type element{c.parameter.type.dtype, {1}};
  std::vector<Operand> elements;
  for (const auto& [name, value] : c.parameter.initializer.numbers) {
    elements.emplace_back(ir::constant(c.f, element, value));
  }
  return concat(elements, 0);
}

Tensor MakeOrthogonal(const Context& c) {
  if (c.parameter.type.rank() != 2) {
    c.f.ReportError(
        {.message = fmt::format("orthogonal: parameter {} has type {}, expected two axes",
                                c.parameter.name, ir::ToString(c.parameter.type)),
         .help = "use glorot_uniform, or reshape a matrix"});
    return c.f.poison();
  }
  Tensor x = random_normal(c.seed, c.stream, c.parameter.type);
  const bool wide = x.shape()[0].size() < x.shape()[1].size();
  if (wide) x = transpose(x, {1, 0});
  x = x / sqrt(reduce_sum(x * x));
  for (int i = 0; i < kNewtonSchulzSteps; ++i) {
    const Tensor gram = matmul(x, x, {.transpose_a = true});
    x = x * 1.5 - matmul(x, gram) * 0.5;
  }
  if (wide) x = transpose(x, {1, 0});
  return x * Number(c.parameter, "gain");
}

using Make = Tensor (*)(const Context&);
struct Kind {
  std::string_view name;
  Make make;
};

const std::array<Kind, 14> kKinds = {{
    {"zeros", [](const Context& c) { return c.Full(0); }},
    {"ones", [](const Context& c) { return c.Full(1); }},
    {"constant", [](const Context& c) { return c.Full(Number(c.parameter, "value")); }},
    {"random_uniform",
     [](const Context& c) {
       return c.Uniform(Number(c.parameter, "low"), Number(c.parameter, "high"));
     }},
    {"random_normal",
     [](const Context& c) {
       return c.Normal(Number(c.parameter, "mean"), Number(c.parameter, "deviation"));
     }},
    {"glorot_uniform",
     [](const Context& c) {
       const double limit = std::sqrt(6 / (c.fans.in + c.fans.out));
       return c.Uniform(-limit, limit);
     }},
    {"glorot_normal",
     [](const Context& c) { return c.Normal(0, std::sqrt(2 / (c.fans.in + c.fans.out))); }},
    {"he_uniform",
     [](const Context& c) {
       const double limit = std::sqrt(6 / c.fans.in);
       return c.Uniform(-limit, limit);
     }},
    {"he_normal", [](const Context& c) { return c.Normal(0, std::sqrt(2 / c.fans.in)); }},
    {"lecun_uniform",
     [](const Context& c) {
       const double limit = std::sqrt(3 / c.fans.in);
       return c.Uniform(-limit, limit);
     }},
    {"lecun_normal", [](const Context& c) { return c.Normal(0, std::sqrt(1 / c.fans.in)); }},
    {"orthogonal", MakeOrthogonal},
    {"values", MakeValues},
    {"unit_forget_bias",
     [](const Context& c) {
       const Type& type = c.parameter.type;
       const Tensor gate = iota(c.f, {DType::kI64, type.shape}, 0);
       const int64_t units = type.shape[0].size() / 4;
       const Tensor forget = logical_and(greater_equal(gate, units), less(gate, 2 * units));
       return cast(forget, type.dtype);
     }},
}};

}  // namespace

Initializer Zeros() { return {"zeros", {}}; }
Initializer Ones() { return {"ones", {}}; }
Initializer Constant(double value) { return {"constant", {{"value", value}}}; }
Initializer Values(std::span<const double> values) {
  Initializer initializer{"values", {}};
  for (const double v : values) {
    initializer.numbers.emplace_back(fmt::format("v{}", initializer.numbers.size()), v);
  }
  return initializer;
}
Initializer RandomUniform(double low, double high) {
  return {"random_uniform", {{"low", low}, {"high", high}}};
}
Initializer RandomNormal(double mean, double deviation) {
  return {"random_normal", {{"mean", mean}, {"deviation", deviation}}};
}
Initializer GlorotUniform() { return {"glorot_uniform", {}}; }
Initializer GlorotNormal() { return {"glorot_normal", {}}; }
Initializer HeUniform() { return {"he_uniform", {}}; }
Initializer HeNormal() { return {"he_normal", {}}; }
Initializer LecunUniform() { return {"lecun_uniform", {}}; }
Initializer LecunNormal() { return {"lecun_normal", {}}; }
Initializer Orthogonal(double gain) { return {"orthogonal", {{"gain", gain}}}; }

Initializer UnitForgetBias() { return {"unit_forget_bias", {}}; }

Tensor Initialize(ir::Function& f, const ir::Parameter& parameter, Tensor seed, int64_t stream) {
  const Tensor stream_value = ir::constant_int(f, {DType::kI64, {}}, stream);
  const Context context{f, parameter, seed, stream_value, FansOf(parameter.type.shape)};
  for (const Kind& kind : kKinds) {
    if (kind.name == parameter.initializer.kind) return kind.make(context);
  }
  std::string names;
  for (const Kind& kind : kKinds) names += (names.empty() ? "" : ", ") + std::string(kind.name);
  f.ReportError({.message = fmt::format("parameter {} has the unknown initialiser {}",
                                        parameter.name, parameter.initializer.kind),
                 .help = "known are " + names});
  return f.poison();
}

}  // namespace gradus
