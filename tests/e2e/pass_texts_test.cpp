// The training step of a small network as text: before and after each pass it fits a screen and
// reads back as itself.

#include <algorithm>

#include "codegen/compile.h"
#include "frontend/gradus.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/parser.h"
#include "ir/printer.h"
#include "passes/pipelines.h"

namespace gradus {
namespace {

constexpr auto kScreen = 90;  // lines of a tall window, the signature included

std::unique_ptr<ir::Module> TrainingModule() {
  Model m("mlp");
  Tensor x = m.Input("x", {kBatch, 12});
  x = m.Add<Dense>("hidden", 64, relu)(x);
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(x));
  auto module = BuildTrainingModule(m, {.optimizer = SGD{}, .loss = binary_crossentropy});
  EXPECT_TRUE(module.ok()) << module.status().message();
  return *std::move(module);
}

void CheckText(const ir::Module& module, std::string_view after) {
  SCOPED_TRACE(after);
  const ir::PrintOptions plain{.loops = false};
  const std::string text = ir::Print(module, plain);
  for (const std::string& written : {text, ir::Print(module)}) {
    const auto back = ir::Parse(written, "printed.ir");
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_EQ(ir::Print(**back, plain), text);
  }
  const std::string step = ir::Print(*module.Find("train_step"), plain);
  EXPECT_LE(std::count(step.begin(), step.end(), '\n'), kScreen) << step;
}

TEST(PassTextsTest, TheTrainingStepIsReadableAndReadsBackAfterEveryPass) {
  const auto module = TrainingModule();
  CheckText(*module, "building");
  const auto pipeline = passes::ParsePipeline("default");
  ASSERT_TRUE(pipeline.ok());
  const passes::PassContext context{.target = codegen::HostTarget()};
  for (const passes::Pass* pass : *pipeline) {
    const absl::Status status =
        passes::RunPipeline(*module, std::span(&pass, 1), context, {.verify_each = true});
    ASSERT_TRUE(status.ok()) << status.message();
    CheckText(*module, pass->name);
  }
}

// Text is enough to go on from: what is made of the text of the input is what is made of the input.
TEST(PassTextsTest, ThePipelineOfTheTextIsThePipelineOfTheModule) {
  const auto module = TrainingModule();
  const auto back = ir::Parse(ir::Print(*module), "printed.ir");
  ASSERT_TRUE(back.ok()) << back.status().message();
  const passes::PassContext context{.target = codegen::HostTarget()};
  for (ir::Module* m : {module.get(), back->get()}) {
    const absl::Status status = passes::RunPipeline(*m, "default", context);
    ASSERT_TRUE(status.ok()) << status.message();
  }
  EXPECT_EQ(ir::Print(**back), ir::Print(*module));
}

}  // namespace
}  // namespace gradus
