// Transcendental ops on AArch64, under an emulator: the accuracy that ir/ops/approx.h states, on
// some 65,000 inputs of f32 a function, spread over all bit patterns.

#include <gtest/gtest.h>

#include <bit>
#include <filesystem>

#include "fmt/format.h"
#include "passes/pipelines.h"
#include "tests/approx_functions.h"
#include "tests/cross/cross_program.h"

namespace gradus::tests {
namespace {

TEST(CrossApprox, NativeCodeIsAccurate) {
  if (const std::string missing = CrossProgram::Missing(ToolchainFor("aarch64"));
      !missing.empty()) {
    GTEST_SKIP() << missing << " is not installed";
  }
  constexpr uint64_t kStep = 65521, kCount = (uint64_t{1} << 32) / kStep + 1;
  std::vector<float> inputs;
  for (uint64_t i = 0; i < kCount; ++i) {
    inputs.push_back(std::bit_cast<float>(static_cast<uint32_t>(i * kStep)));
  }
  std::vector<runtime::Tensor> arguments;
  arguments.push_back(
      runtime::Tensor::FromVector<float>({static_cast<int64_t>(kCount)}, inputs).value());

  const ir::Target target = *codegen::NamedTarget("aarch64");
  CrossProgram program(ToolchainFor("aarch64"), std::filesystem::temp_directory_path().string());
  for (const Function& function : kFunctions) {
    Graph graph("approx");
    graph.Output("y", function.op(graph.Input("x", {static_cast<int64_t>(kCount)})));
    ASSERT_TRUE(passes::RunPipeline(graph.module(), "default", {target}).ok());
    const codegen::CodegenOptions options{.target = target, .prefix = function.name};
    const auto object = codegen::EmitObject(graph.module(), options);
    ASSERT_TRUE(object.ok()) << object.status();
    const std::string symbol = fmt::format("{}_{}", function.name, graph.function().name());
    const absl::Status added = program.AddObject(*object, {&symbol, 1});
    ASSERT_TRUE(added.ok()) << added;
    ASSERT_TRUE(program.AddCall(symbol, arguments).ok());
  }
  const auto results = program.Run();
  ASSERT_TRUE(results.ok()) << results.status();
  size_t call = 0;
  for (const Function& function : kFunctions) {
    const std::span<const float> values = (*results)[call++][0].data<float>();
    const auto [domain, bound] = AccuracyOf(function, target);
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (std::isfinite(inputs[i]) && std::fabs(inputs[i]) > domain) continue;
      EXPECT_LE(UlpError(values[i], function.reference(inputs[i])), bound)
          << std::hexfloat << function.name << "(" << inputs[i] << ") gives " << values[i];
    }
  }
}

}  // namespace
}  // namespace gradus::tests
