#include "frontend/training_module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/layers.h"
#include "ir/parser.h"
#include "ir/printer.h"
#include "ir/verifier.h"

namespace gradus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

void AddMlp(Model& m) {
  const Tensor x = m.Input("x", {kBatch, 4});
  const Tensor h = m.Add<Dense>("hidden", 3, relu)(x);
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(h));
}

std::vector<std::string> ArgumentNames(const ir::Function& f) {
  std::vector<std::string> names;
  for (int i = 0; i < f.num_args(); ++i) names.push_back(f.arg(i).node()->name());
  return names;
}

std::vector<std::string> ResultNames(const ir::Function& f) {
  std::vector<std::string> names;
  for (const ir::Result& r : f.results()) names.push_back(r.name);
  return names;
}

TEST(TrainingModule, HasTheFourEntriesInTheOrderOfItsHeader) {
  Model m("theft");
  AddMlp(m);
  const auto module = BuildTrainingModule(
      m, {.optimizer = Adam{}, .loss = binary_crossentropy, .metrics = {accuracy}});
  ASSERT_TRUE(module.ok()) << module.status();
  std::vector<std::string> names;
  for (const auto& f : (*module)->functions()) names.push_back(f->name());
  EXPECT_THAT(names, ElementsAre("init", "forward", "evaluate", "train_step"));
  EXPECT_THAT(ArgumentNames(*(*module)->Find("init")), ElementsAre("seed"));
  EXPECT_THAT(ResultNames(*(*module)->Find("init")),
              ElementsAre("hidden.kernel", "hidden.bias", "out.kernel", "out.bias"));
  EXPECT_THAT(ArgumentNames(*(*module)->Find("forward")),
              ElementsAre("x", "hidden.kernel", "hidden.bias", "out.kernel", "out.bias"));
  EXPECT_THAT(ResultNames(*(*module)->Find("forward")), ElementsAre("p"));
  EXPECT_THAT(ArgumentNames(*(*module)->Find("evaluate")),
              ElementsAre("x", "target", "hidden.kernel", "hidden.bias", "out.kernel", "out.bias"));
  EXPECT_THAT(ResultNames(*(*module)->Find("evaluate")),
              ElementsAre("loss", "accuracy/total", "accuracy/count"));
  const ir::Function& step = *(*module)->Find("train_step");
  EXPECT_THAT(ArgumentNames(step),
              ElementsAre("x", "target", "hidden.kernel", "hidden.bias", "out.kernel", "out.bias",
                          "hidden.kernel/m", "hidden.kernel/v", "hidden.bias/m", "hidden.bias/v",
                          "out.kernel/m", "out.kernel/v", "out.bias/m", "out.bias/v",
                          "learning_rate", "step"));
  EXPECT_THAT(ResultNames(step),
              ElementsAre("loss", "accuracy/total", "accuracy/count", "hidden.kernel",
                          "hidden.bias", "out.kernel", "out.bias", "hidden.kernel/m",
                          "hidden.kernel/v", "hidden.bias/m", "hidden.bias/v", "out.kernel/m",
                          "out.kernel/v", "out.bias/m", "out.bias/v", "step"));
  for (const ir::Result& r : step.results()) {
    if (r.name == "loss" || r.name.starts_with("accuracy/")) {
      EXPECT_EQ(r.alias, -1) << r.name;
    } else {
      EXPECT_EQ(step.arg(r.alias).node()->name(), r.name);
    }
  }
}

// For many models: verified, and read back from its own text.
void ExpectRoundTrip(const Model& m, const TrainingOptions& options) {
  const auto module = BuildTrainingModule(m, options);
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_TRUE(ir::Verify(**module).ok()) << ir::Verify(**module);
  const std::string text = ir::Print(**module);
  const auto back = ir::Parse(text, "again.ir");
  ASSERT_TRUE(back.ok()) << back.status() << "\n" << text;
  EXPECT_TRUE(ir::Verify(**back).ok());
  EXPECT_EQ(ir::Print(**back), text);
}

TEST(TrainingModule, PrintsAndParsesBack) {
  for (const DType dtype : {DType::kF32, DType::kF64}) {
    Model m("theft", dtype);
    AddMlp(m);
    ExpectRoundTrip(m, {.optimizer = SGD{}, .loss = mean_squared_error});
    ExpectRoundTrip(m, {.optimizer = Adam{}, .loss = binary_crossentropy, .metrics = {accuracy}});
    ExpectRoundTrip(m, {.optimizer = Adam({.epsilon_form = AdamEpsilon::kUsual}),
                        .loss = Loss(huber, 0.5),
                        .metrics = {binary_accuracy}});
  }
}

TEST(TrainingModule, EveryInitialiserAndActivationPrintsAndParsesBack) {
  Model m("all");
  Tensor x = m.Input("x", {kBatch, 6});
  const std::vector<Initializer> initializers = {
      Zeros(),         Ones(),         Constant(0.1), RandomUniform(-1, 1), RandomNormal(0, 1),
      GlorotUniform(), GlorotNormal(), HeUniform(),   HeNormal(),           LecunUniform(),
      LecunNormal(),   Orthogonal(2)};
  const std::vector<Activation> activations = {
      linear, relu,     sigmoid,      tanh,       selu, gelu,    gelu_tanh,
      silu,   softplus, hard_sigmoid, leaky_relu, elu,  softmax, log_softmax};
  for (size_t i = 0; i < activations.size(); ++i) {
    x = m.Add<Dense>(
        "d" + std::to_string(i), 4,
        Dense::Options{.activation = activations[i],
                       .kernel_initializer = initializers[i % initializers.size()]})(x);
  }
  m.Output("y", x);
  ExpectRoundTrip(m,
                  {.optimizer = Adam{}, .loss = categorical_crossentropy, .metrics = {accuracy}});
  ExpectRoundTrip(m, {.optimizer = Adam{},
                      .loss = sparse_categorical_crossentropy_from_logits,
                      .metrics = {accuracy}});
}

TEST(TrainingModule, SparseTargetsAreClassNumbers) {
  Model m("m");
  m.Output("y", m.Add<Dense>("d", 5, softmax)(m.Input("x", {kBatch, 3})));
  const auto module = BuildTrainingModule(m, {.loss = sparse_categorical_crossentropy});
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_EQ(ir::ToString((*module)->Find("evaluate")->arg(1).type()), "i64[B]");
}

TEST(TrainingModule, SeveralOutputsHaveSeveralTargets) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 3});
  m.Output("mean", m.Add<Dense>("a", 1)(x));
  m.Output("spread", m.Add<Dense>("b", 2)(x));
  const auto module =
      BuildTrainingModule(m, {.loss = mean_squared_error, .metrics = {binary_accuracy}});
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_THAT(
      ArgumentNames(*(*module)->Find("evaluate")),
      ElementsAre("x", "target_mean", "target_spread", "a.kernel", "a.bias", "b.kernel", "b.bias"));
  EXPECT_THAT(ResultNames(*(*module)->Find("evaluate")),
              ElementsAre("loss", "mean_binary_accuracy/total", "mean_binary_accuracy/count",
                          "spread_binary_accuracy/total", "spread_binary_accuracy/count"));
}

TEST(TrainingModule, ALossThatIsNoScalarIsRefused) {
  Model m("m");
  m.Output("y", m.Add<Dense>("d", 2)(m.Input("x", {kBatch, 3})));
  const Loss::Function each = [](Operand target, Operand prediction) {
    return square(prediction - target);
  };
  const auto module = BuildTrainingModule(m, {.loss = each});
  ASSERT_FALSE(module.ok());
  EXPECT_THAT(std::string(module.status().message()), HasSubstr("f32[B, 2]"));
}

}  // namespace
}  // namespace gradus
