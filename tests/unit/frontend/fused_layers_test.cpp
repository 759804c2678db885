#include "frontend/fused_layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/gradus.h"

namespace gradus {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::map<std::string, std::string, std::less<>> Fused(const Model& m,
                                                      const std::string& pipeline = "default") {
  auto module = BuildInferenceModule(m);
  EXPECT_TRUE(module.ok()) << module.status();
  auto fused = FusedLayers(**module, "forward", pipeline, codegen::HostTarget());
  EXPECT_TRUE(fused.ok()) << fused.status();
  return *std::move(fused);
}

TEST(FusedLayers, NamesTheKernelOfEachLayer) {
  Model m("chain");
  Tensor h = m.Add<Dense>("first", 8)(m.Input("x", {kBatch, 8}));
  h = m.Add<ActivationLayer>("squash", tanh)(h);
  h = m.Add<Dense>("second", 8)(h);
  h = m.Add<Dense>("third", 8)(h);
  m.Output("y", h);
  const auto fused = Fused(m);
  EXPECT_EQ(fused.at("first"), "first_matmul_tanh");
  EXPECT_EQ(fused.at("squash"), "first_matmul_tanh");
  // Equal kernels are one function.
  EXPECT_EQ(fused.at("second"), "second_matmul_add");
  EXPECT_EQ(fused.at("third"), "second_matmul_add");
}

TEST(FusedLayers, LoopsAndUnfusedOps) {
  Model m("loop");
  Tensor h = m.Add<LSTM>("memory", 8)(m.Input("x", {kBatch, 6, 4}));
  m.Output("y", m.Add<Dense>("out", 1, sigmoid)(h));
  const auto fused = Fused(m);
  EXPECT_THAT(fused.at("memory"), HasSubstr("loop "));
  EXPECT_EQ(fused.at("out"), "out_matmul_sigmoid");
  const auto single = Fused(m, "none");
  EXPECT_THAT(single.at("out"), HasSubstr("more")) << "a kernel an op";
}

TEST(FusedLayers, WhatIsNotThereIsAnError) {
  Model m("small");
  m.Output("y", m.Add<Dense>("out", 1)(m.Input("x", {kBatch, 2})));
  auto module = BuildInferenceModule(m);
  ASSERT_TRUE(module.ok());
  EXPECT_THAT(
      std::string(
          FusedLayers(**module, "backward", "default", codegen::HostTarget()).status().message()),
      StartsWith("the module has no function backward"));
}

}  // namespace
}  // namespace gradus
