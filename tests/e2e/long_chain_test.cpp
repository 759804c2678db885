// Ten thousand nodes in a row: printed, parsed, verified, differentiated, optimised, compiled and
// run, in a thread whose stack no recursion over the graph would fit.

#include <pthread.h>

#include <cmath>
#include <functional>

#include "codegen/compile.h"
#include "fmt/format.h"
#include "gtest/gtest.h"
#include "ir/parser.h"
#include "ir/printer.h"
#include "passes/autodiff.h"
#include "passes/pipelines.h"

namespace gradus {
namespace {

constexpr int kNodes = 10000;
constexpr double kStep = 0.125;

void RunWithSmallStack(std::function<void()> body) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 1 << 20), 0);
  pthread_t thread;
  const auto enter = [](void* argument) -> void* {
    (*static_cast<std::function<void()>*>(argument))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, enter, &body), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

// y = sum of the chain: h <- sin(h), h <- h + x / 8, in turns.
std::string ChainText() {
  std::string text =
      "module @chain\n"
      "func @f(%x: f64[B]) -> (y: f64[]) {\n"
      "  %c = constant {dtype = f64, shape = [B], value = 0.125} : f64[B]\n"
      "  %s = mul %x, %c : f64[B]\n";
  std::string previous = "%x";
  for (int i = 0; i < kNodes; ++i) {
    text += i % 2 == 0 ? fmt::format("  %{} = sin {} : f64[B]\n", i, previous)
                       : fmt::format("  %{} = add {}, %s : f64[B]\n", i, previous);
    previous = fmt::format("%{}", i);
  }
  return text +
         fmt::format("  %y = reduce_sum {} {{axes = [0]}} : f64[]\n  return %y\n}}\n", previous);
}

// The chain and its derivative, by the chain rule forwards.
std::pair<double, double> Reference(double x) {
  double h = x, d = 1;
  for (int i = 0; i < kNodes; ++i) {
    if (i % 2 == 0) {
      d *= std::cos(h);
      h = std::sin(h);
    } else {
      h += kStep * x;
      d += kStep;
    }
  }
  return {h, d};
}

void TestChain(std::string_view passes) {
  auto module = ir::Parse(ChainText(), "chain.ir");
  ASSERT_TRUE(module.ok()) << module.status().message();
  ir::Function& f = *(*module)->Find("f");
  const ir::Value wanted[] = {f.arg(0)};
  const auto gradients = passes::Gradients(f.results()[0].value, wanted);
  ASSERT_TRUE(gradients.ok()) << gradients.status().message();
  f.AddResult((*gradients)[0], "dx");
  EXPECT_GT(f.nodes().size(), static_cast<size_t>(2 * kNodes));
  const std::string printed = ir::Print(**module, {.locations = false});
  const auto again = ir::Parse(printed, "again.ir");
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(ir::Print(**again), printed);

  const codegen::CodegenOptions options{.target = codegen::HostTarget(), .cache_dir = ""};
  const absl::Status status = passes::RunPipeline(**module, passes, {.target = options.target});
  ASSERT_TRUE(status.ok()) << status.message();
  auto entries = codegen::CompileAndLoad(**module, options);
  ASSERT_TRUE(entries.ok()) << entries.status().message();
  ASSERT_EQ(entries->size(), 1u);

  const std::vector<double> x = {-2, -0.5, 0, 0.75, 1, 3, 4.5};
  std::vector<runtime::Tensor> inputs;
  inputs.push_back(*runtime::Tensor::FromVector({static_cast<int64_t>(x.size())}, x));
  const auto results = (*entries)[0].executable.Run(std::move(inputs));
  ASSERT_TRUE(results.ok()) << results.status().message();
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const auto [value, derivative] = Reference(x[i]);
    sum += value;
    EXPECT_NEAR((*results)[1].data<double>()[i], derivative, 1e-10 * (1 + std::abs(derivative)));
  }
  EXPECT_NEAR((*results)[0].data<double>()[0], sum, 1e-10 * (1 + std::abs(sum)));
}

TEST(LongChainTest, Optimised) {
  RunWithSmallStack([] { TestChain("default"); });
}
TEST(LongChainTest, Unoptimised) {
  RunWithSmallStack([] { TestChain("none"); });
}

}  // namespace
}  // namespace gradus
