// Transcendental ops as native code, on every level that runs here: the accuracy that
// ir/ops/approx.h states, with fused multiply-adds and without. About a million inputs of f32 a
// function, spread over all bit patterns; with GRADUS_ULP_ALL=1 in the environment, every one
// (minutes a function).

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "frontend/gradus.h"
#include "tests/approx_functions.h"

namespace gradus {
namespace {

using tests::Function;

class ApproxUlpTest : public ::testing::TestWithParam<std::tuple<Function, const char*>> {};

TEST_P(ApproxUlpTest, NativeCodeIsAccurate) {
  const auto& [function, target] = GetParam();
  CompileOptions options;
  options.target = codegen::NamedTarget(target).value();
  if (absl::Status s = codegen::CheckRunsHere(options.target); !s.ok()) GTEST_SKIP() << s;
  const auto [domain, bound] = tests::AccuracyOf(function, options.target);
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
      const double error = tests::UlpError(values[i], function.reference(inputs[i]));
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

// Where the right result is a float, at the values that formulas for all others tend to miss, it is
// that float: zeros keep their sign, infinities and NaN go where they should.
TEST_P(ApproxUlpTest, SpecialValuesAreExact) {
  const auto& [function, target] = GetParam();
  CompileOptions options;
  options.target = codegen::NamedTarget(target).value();
  if (absl::Status s = codegen::CheckRunsHere(options.target); !s.ok()) GTEST_SKIP() << s;
  const auto [domain, bound] = tests::AccuracyOf(function, options.target);
  using Limits = std::numeric_limits<float>;
  std::vector<float> inputs;
  for (const float x : {0.0F, 1.0F, Limits::infinity(), Limits::quiet_NaN(), Limits::denorm_min(),
                        Limits::min() - Limits::denorm_min(), Limits::min(), Limits::max()}) {
    inputs.push_back(x);
    inputs.push_back(-x);
  }
  const auto count = static_cast<int64_t>(inputs.size());
  Graph graph("special");
  graph.Output("y", function.op(graph.Input("x", {count})));
  auto compiled = Compile(graph, options);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  std::vector<runtime::Tensor> arguments;
  arguments.push_back(runtime::Tensor::FromVector<float>({count}, inputs).value());
  auto results = compiled->Run(std::move(arguments));
  ASSERT_TRUE(results.ok()) << results.status();
  const auto values = (*results)[0].data<float>();
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (std::isfinite(inputs[i]) && std::fabs(inputs[i]) > domain) continue;
    const double want = function.reference(inputs[i]);
    const auto rounded = static_cast<float>(want);
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(values[i])) << inputs[i] << " gives " << values[i];
    } else if (rounded == want) {
      EXPECT_EQ(std::bit_cast<uint32_t>(values[i]), std::bit_cast<uint32_t>(rounded))
          << std::hexfloat << inputs[i] << " gives " << values[i] << ", not " << rounded;
    } else {
      EXPECT_LE(tests::UlpError(values[i], want), std::max(bound, 1.0)) << inputs[i];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Functions, ApproxUlpTest,
                         ::testing::Combine(::testing::ValuesIn(tests::kFunctions),
                                            ::testing::Values("host", "x86-64-v4", "x86-64-v3",
                                                              "x86-64-v2", "x86-64", "scalar")),
                         [](const auto& test) {
                           std::string name = std::string(std::get<0>(test.param).name) + "_" +
                                              std::get<1>(test.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace gradus
