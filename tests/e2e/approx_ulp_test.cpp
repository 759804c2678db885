// Transcendental ops as native code: the accuracy that ir/ops/approx.h states for targets with a
// fused multiply-add. About a million inputs of f32 a function, spread over all bit patterns; with
// GRADUS_ULP_ALL=1 in the environment, every one (minutes a function).

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <ostream>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "frontend/gradus.h"

namespace gradus {
namespace {

struct Function {
  const char* name;
  Tensor (*op)(Operand);
  double (*reference)(double);
  double bound;  // units in the last place of f32
  double domain = std::numeric_limits<double>::infinity();
};

void PrintTo(const Function& function, std::ostream* out) { *out << function.name; }

double SigmoidReference(double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

const Function kFunctions[] = {
    {"exp", exp, std::exp, 1.0},      {"expm1", expm1, std::expm1, 1.44},
    {"log", log, std::log, 0.83},     {"log1p", log1p, std::log1p, 1.4},
    {"tanh", tanh, std::tanh, 2.42},  {"sigmoid", sigmoid, SigmoidReference, 2.5},
    {"erf", erf, std::erf, 1.1},      {"sin", sin, std::sin, 1.8, 1e5},
    {"cos", cos, std::cos, 1.8, 1e5}, {"tan", tan, std::tan, 3.0, 1e5},
    {"atan", atan, std::atan, 2.0},   {"asin", asin, std::asin, 2.7},
    {"acos", acos, std::acos, 2.4},   {"sinh", sinh, std::sinh, 3.4},
    {"cosh", cosh, std::cosh, 2.9},
};

// A reference in double is exact enough to judge f32 by. A result that should overflow or vanish
// must do just that, or be the number next to it.
double UlpError(float got, double want) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : INFINITY;
  if (std::signbit(got) != std::signbit(want)) return INFINITY;
  if (std::isinf(want)) return std::isinf(got) ? 0 : INFINITY;
  constexpr double kOverflow = 0x1.ffffffp127;  // from here on f32 rounds to infinity
  if (std::isinf(got)) return std::fabs(want) >= kOverflow * (1 - 0x1p-23) ? 0 : INFINITY;
  if (std::fabs(want) >= kOverflow * (1 + 0x1p-23)) return INFINITY;
  int exponent = 0;
  std::frexp(want, &exponent);
  const int spacing = std::max(want == 0 ? -149 : exponent - 24, -149);
  return std::fabs(got - want) / std::ldexp(1.0, spacing);
}

class ApproxUlpTest : public ::testing::TestWithParam<std::tuple<Function, const char*>> {};

TEST_P(ApproxUlpTest, NativeCodeIsAccurate) {
  const auto& [function, target] = GetParam();
  CompileOptions options;
  if (std::string_view(target) != "host") {
    const bool wide = std::string_view(target) == "x86-64-v3";
    if (!options.target.triple.starts_with("x86_64") ||
        (wide && options.target.vector_bytes < 32)) {
      GTEST_SKIP() << "this machine does not run " << target;
    }
    options.target = codegen::NamedTarget(target).value();
  }
  // Without fused arithmetic the reduction modulo pi is exact for smaller numbers only.
  const bool is_reduced = std::isfinite(function.domain) && !options.target.has_fma;
  const double domain = is_reduced ? 1000 : function.domain;
  const double bound = is_reduced ? std::max(2.1, function.bound) : function.bound;
  constexpr int64_t kCount = 4096 + 3;  // not a multiple of any vector
  Graph graph("approx");
  graph.Output("y", function.op(graph.Input("x", {kCount})));
  auto compiled = Compile(graph, options);
  ASSERT_TRUE(compiled.ok()) << compiled.status();

  const bool all = std::getenv("GRADUS_ULP_ALL") != nullptr;
  const uint64_t step = all ? 1 : 4099;
  std::vector<float> inputs;
  double worst = -1;
  float worst_input = 0, worst_value = 0;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32);) {
    inputs.clear();
    for (; inputs.size() < kCount; bits += step) {  // past the end: again from the beginning
      inputs.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    }
    std::vector<runtime::Tensor> arguments;
    arguments.push_back(runtime::Tensor::FromVector<float>({kCount}, inputs).value());
    auto results = compiled->Run(std::move(arguments));
    ASSERT_TRUE(results.ok()) << results.status();
    const auto values = (*results)[0].data<float>();
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (std::isfinite(inputs[i]) && std::fabs(inputs[i]) > domain) continue;
      const double error = UlpError(values[i], function.reference(inputs[i]));
      if (error > worst) {
        worst = error;
        worst_input = inputs[i];
        worst_value = values[i];
      }
    }
  }
  RecordProperty("worst_ulp", std::to_string(worst));
  EXPECT_LE(worst, bound) << std::hexfloat << function.name << "(" << worst_input << ") gives "
                          << worst_value;
}

INSTANTIATE_TEST_SUITE_P(Functions, ApproxUlpTest,
                         ::testing::Combine(::testing::ValuesIn(kFunctions),
                                            ::testing::Values("host", "x86-64-v3", "x86-64")),
                         [](const auto& test) {
                           std::string name = std::string(std::get<0>(test.param).name) + "_" +
                                              std::get<1>(test.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace gradus
