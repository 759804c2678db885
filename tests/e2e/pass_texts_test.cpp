// The training step of the main job's network as text: before and after each pass it fits a screen
// and reads back as itself.

#include <sstream>

#include "codegen/compile.h"
#include "frontend/gradus.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/parser.h"
#include "ir/printer.h"
#include "passes/pipelines.h"
#include "tests/same_graph.h"

namespace gradus {
namespace {

// Of a terminal; a maximised window has 70 rows and more.
constexpr size_t kColumns = 120;

constexpr ir::PrintOptions kPlain{.locations = false, .loops = false};
constexpr ir::PrintOptions kFolded{.locations = false, .loops = false, .folded = true};

struct Job {
  std::string name;
  TrainingOptions options;
  int rows;  // that the step may take, of which its signature takes 12 in the main job
};

std::vector<Job> Jobs() {
  return {
      {"main job", {.optimizer = Adam{}, .loss = binary_crossentropy, .metrics = {accuracy}}, 70},
      {"plain", {.optimizer = SGD{}, .loss = binary_crossentropy}, 44}};
}

std::unique_ptr<ir::Module> TrainingModule(const TrainingOptions& options) {
  Model m("mlp");
  Tensor x = m.Input("x", {kBatch, 12});
  x = m.Add<Dense>("hidden", 64, relu)(x);
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(x));
  auto module = BuildTrainingModule(m, options);
  EXPECT_TRUE(module.ok()) << module.status().message();
  return *std::move(module);
}

// Rows on a terminal, long lines wrapped.
int Rows(const std::string& text) {
  int rows = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    rows += line.empty() ? 1 : static_cast<int>((line.size() + kColumns - 1) / kColumns);
  }
  return rows;
}

void CheckText(const ir::Module& module, std::string_view after, int rows) {
  SCOPED_TRACE(after);
  const std::string plain = ir::Print(module, kPlain);
  for (const std::string& written : {plain, ir::Print(module)}) {
    const auto back = ir::Parse(written, "printed.ir");
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_EQ(ir::Print(**back, kPlain), plain);
  }
  const std::string folded = ir::Print(module, kFolded);
  const auto back = ir::Parse(folded, "folded.ir");
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(ir::Print(**back, kFolded), folded);
  EXPECT_TRUE(tests::SameGraphs(**back, module)) << folded;
  const std::string step = ir::Print(*module.Find("train_step"), kFolded);
  EXPECT_LE(Rows(step), rows) << step;
}

TEST(PassTextsTest, TheTrainingStepFitsAScreenAndReadsBackAfterEveryPass) {
  for (const Job& job : Jobs()) {
    SCOPED_TRACE(job.name);
    const auto module = TrainingModule(job.options);
    CheckText(*module, "building", job.rows);
    const auto pipeline = passes::ParsePipeline("default");
    ASSERT_TRUE(pipeline.ok());
    const passes::PassContext context{.target = codegen::HostTarget()};
    for (const passes::Pass* pass : *pipeline) {
      const absl::Status status =
          passes::RunPipeline(*module, std::span(&pass, 1), context, {.verify_each = true});
      ASSERT_TRUE(status.ok()) << status.message();
      CheckText(*module, pass->name, job.rows);
    }
  }
}

// Text is enough to go on from: what is made of the text of the input is what is made of the input.
TEST(PassTextsTest, ThePipelineOfTheTextIsThePipelineOfTheModule) {
  const auto module = TrainingModule(Jobs()[0].options);
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
