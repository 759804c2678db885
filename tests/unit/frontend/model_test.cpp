#include "frontend/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/compile.h"
#include "frontend/layers.h"
#include "frontend/trainer.h"
#include "ir/verifier.h"

namespace gradus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> ParameterNames(const Model& m) {
  std::vector<std::string> names;
  for (const ir::Parameter& p : m.module().parameters()) names.push_back(p.name);
  return names;
}

std::string ErrorOf(const Model& m) {
  return m.forward().error() ? m.forward().error()->ToString() : "none";
}

TEST(Model, NamesParametersAfterLayers) {
  Model m("theft");
  const Tensor x = m.Input("x", {kBatch, 12});
  const Tensor h = m.Add<Dense>("hidden", 64, relu)(x);
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(h));
  ASSERT_EQ(ErrorOf(m), "none");
  EXPECT_THAT(ParameterNames(m),
              ElementsAre("hidden.kernel", "hidden.bias", "out.kernel", "out.bias"));
  EXPECT_EQ(m.num_parameters(), 12 * 64 + 64 + 64 + 1);
  EXPECT_EQ(ir::ToString(m.module().parameters()[0].type), "f32[12, 64]");
  EXPECT_EQ(m.module().parameters()[0].initializer.kind, "glorot_uniform");
  EXPECT_EQ(m.module().parameters()[1].initializer.kind, "zeros");
  EXPECT_TRUE(m.IsParameter("out.bias"));
  EXPECT_FALSE(m.IsParameter("x"));
  ASSERT_EQ(m.forward().results().size(), 1U);
  EXPECT_EQ(ir::ToString(m.forward().results()[0].value.type()), "f32[B, 1]");
  EXPECT_TRUE(ir::Verify(m.module()).ok()) << ir::Verify(m.module());
}

TEST(Model, DescribesItsLayers) {
  Model m("m");
  Tensor x = m.Input("x", {kBatch, 4, 3});
  x = m.Add<Flatten>("flat")(x);
  x = m.Add<Dense>("wide", 5, Dense::Options{.activation = tanh, .bias = false})(x);
  x = m.Add<PReLU>("slope")(x);
  m.Output("y", m.Add<ActivationLayer>("end", softmax)(x));
  ASSERT_EQ(ErrorOf(m), "none");
  std::vector<std::string> rows;
  for (const LayerInfo& l : m.layers()) {
    rows.push_back(l.name + " " + l.type + " " + l.output + " " + std::to_string(l.parameters));
  }
  EXPECT_THAT(rows, ElementsAre("flat flatten [B, 12] 0", "wide dense [B, 5] 60",
                                "slope prelu [B, 5] 5", "end softmax [B, 5] 0"));
}

TEST(Model, AModelOfF64HasParametersOfF64) {
  Model m("m", DType::kF64);
  m.Output("y", m.Add<Dense>("d", 2)(m.Input("x", {kBatch, 3})));
  ASSERT_EQ(ErrorOf(m), "none");
  EXPECT_EQ(ir::ToString(m.module().parameters()[0].type), "f64[3, 2]");
  EXPECT_EQ(ir::ToString(m.forward().results()[0].value.type()), "f64[B, 2]");
}

TEST(Model, DenseKeepsLeadingAxes) {
  Model m("m");
  m.Output("y", m.Add<Dense>("d", 2)(m.Input("x", {kBatch, 7, 3})));
  ASSERT_EQ(ErrorOf(m), "none");
  EXPECT_EQ(ir::ToString(m.forward().results()[0].value.type()), "f32[B, 7, 2]");
}

TEST(Model, ALayerCalledTwiceSharesItsParameters) {
  Model m("m");
  Layer& twice = m.Add<Dense>("d", 3, tanh);
  const Tensor x = m.Input("x", {kBatch, 3});
  m.Output("y", twice(twice(x)));
  ASSERT_EQ(ErrorOf(m), "none");
  EXPECT_EQ(m.num_parameters(), 3 * 3 + 3);
  EXPECT_EQ(m.layers()[0].parameters, 12);
}

TEST(Model, NodesRememberLayerAndLine) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 3});
  const Tensor y = m.Add<Dense>("d", 3, tanh)(x);
  const int line = __LINE__ - 1;
  EXPECT_EQ(y.node()->location().line, line);
  EXPECT_EQ(*y.node()->location().file, "model_test.cpp");
  EXPECT_EQ(y.node()->location().scope_name(), "d");
}

// A layer of the user's: y = x * scale.
class Scale : public Layer {
 public:
  Scale(Model& model, std::string name) : Layer(model, std::move(name), "scale") {}

 protected:
  Tensor Call(Operand x) override {
    return mul(x, Parameter("scale", {x.value().shape()[1]}, Ones()));
  }
};

TEST(Model, TakesLayersOfTheUser) {
  Model m("m");
  m.Output("y", m.Add<Scale>("s")(m.Input("x", {kBatch, 3})));
  ASSERT_EQ(ErrorOf(m), "none");
  EXPECT_THAT(ParameterNames(m), ElementsAre("s.scale"));
}

TEST(Model, ErrorsAreStickyAndTheFirstOneIsKept) {
  Model m("m");
  const Tensor bad = add(m.Input("x", {kBatch, 3}), m.Input("z", {kBatch, 4}));
  const int line = __LINE__ - 1;
  EXPECT_TRUE(bad.is_poison());
  const Tensor later = m.Add<Dense>("d", 3)(relu(bad) * 2 + m.Input("w", {kBatch, 9}));
  m.Output("y", later);
  EXPECT_THAT(ErrorOf(m), HasSubstr("model_test.cpp:" + std::to_string(line)));
  EXPECT_THAT(ErrorOf(m), HasSubstr("add: [B, 3] and [B, 4] do not line up (axis 1: 3, 4)"));
  const auto trainer = Compile(m, TrainingOptions{});
  ASSERT_FALSE(trainer.ok());
  EXPECT_EQ(std::string(trainer.status().message()), ErrorOf(m));
}

TEST(Activation, KnowsItsName) {
  EXPECT_EQ(Activation().name(), "linear");
  EXPECT_EQ(Activation(relu).name(), "relu");
  EXPECT_EQ(Activation(tanh).name(), "tanh");
  EXPECT_EQ(Activation(leaky_relu).name(), "leaky_relu");
  EXPECT_EQ(Activation(softmax).name(), "softmax");
  EXPECT_EQ(Activation(leaky_relu, 0.1).name(), "leaky_relu");
  const auto twice = [](Operand x) { return x.value() * 2; };
  EXPECT_EQ(Activation(static_cast<Activation::Function>(twice)).name(), "custom");
}

TEST(Loss, KnowsItsNameAndForm) {
  EXPECT_EQ(Loss(mean_squared_error).name(), "mean_squared_error");
  EXPECT_FALSE(Loss(binary_crossentropy).from_logits());
  EXPECT_TRUE(Loss(binary_crossentropy_from_logits).from_logits());
  EXPECT_TRUE(Loss(sparse_categorical_crossentropy).sparse());
  EXPECT_EQ(Loss(huber, 2.0).name(), "huber");
}

}  // namespace
}  // namespace gradus
