#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/check.h"
#include "ir/parser.h"
#include "ir/printer.h"
#include "passes/pipelines.h"

namespace gradus::passes {
namespace {

using testing::HasSubstr;

constexpr std::string_view kText = R"(module @m

func @f(%x: f32[3]) -> (f32[3]) {
  %0 = tanh %x : f32[3]
  %1 = tanh %x : f32[3]
  %2 = add %0, %1 : f32[3]
  return %2
}
)";

absl::StatusOr<bool> Nothing(ir::Module&, const PassContext&) { return false; }
absl::StatusOr<bool> Rename(ir::Module& m, const PassContext&) {
  m.functions()[0]->results()[0].name += "y";
  return true;
}
absl::StatusOr<bool> Break(ir::Module& m, const PassContext&) {
  m.functions()[0]->results()[0].alias = 7;
  return true;
}
absl::StatusOr<bool> Refuse(ir::Module&, const PassContext&) {
  return absl::InvalidArgumentError("the user's mistake");
}
absl::StatusOr<bool> Abort(ir::Module&, const PassContext&) {
  IR_CHECK_MSG(1 + 1 == 3, "sums");
  return false;
}

constexpr Pass kNothing{"nothing", "", Nothing}, kRename{"rename", "", Rename},
    kBreak{"break", "", Break}, kRefuse{"refuse", "", Refuse}, kAbort{"abort", "", Abort},
    kRequired{"required", "", Rename, true};

class RunnerTest : public testing::Test {
 protected:
  RunnerTest() {
    auto module = ir::Parse(kText, "runner.ir");
    EXPECT_TRUE(module.ok()) << module.status().message();
    module_ = *std::move(module);
    options_.print = [this](std::string_view text) { printed_ += text; };
    folder_ = testing::TempDir() + "/runner_test_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
  }
  ~RunnerTest() override { std::filesystem::remove_all(folder_); }

  absl::Status Run(std::initializer_list<const Pass*> passes) {
    return RunPipeline(*module_, std::span(passes.begin(), passes.size()), {}, options_);
  }
  std::string Read(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  std::unique_ptr<ir::Module> module_;
  PipelineOptions options_;
  std::string printed_, folder_;
};

TEST_F(RunnerTest, QuietUnlessAsked) {
  EXPECT_TRUE(Run({&kNothing, &kRename}).ok());
  EXPECT_EQ(printed_, "");
  EXPECT_EQ(module_->functions()[0]->results()[0].name, "y");
}

TEST_F(RunnerTest, PrintsWhatChanged) {
  options_.print_after_change = true;
  EXPECT_TRUE(Run({&kNothing, &kRename}).ok());
  EXPECT_EQ(printed_, "// ---- after nothing (unchanged) ----\n// ---- after rename ----\n" +
                          ir::Print(*module_, {.folded = true}) + "\n");
}

TEST_F(RunnerTest, PrintsAll) {
  options_.print_after_all = true;
  EXPECT_TRUE(Run({&kNothing}).ok());
  EXPECT_EQ(printed_, "// ---- after nothing (unchanged) ----\n" +
                          ir::Print(*module_, {.folded = true}) + "\n");
}

TEST_F(RunnerTest, PrintsALineANode) {
  options_.print_after_all = true;
  options_.print_folded = false;
  EXPECT_TRUE(Run({&kNothing}).ok());
  EXPECT_EQ(printed_, "// ---- after nothing (unchanged) ----\n" + ir::Print(*module_) + "\n");
}

TEST_F(RunnerTest, DumpsFilesThatParse) {
  options_.dump_dir = folder_;
  EXPECT_TRUE(Run({&kNothing, &kRename, &kRename}).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/01-nothing.ir"));
  EXPECT_THAT(Read(folder_ + "/02-rename.ir"), HasSubstr("-> (y: f32[3])"));
  const auto last = ir::Parse(Read(folder_ + "/03-rename.ir"), "03-rename.ir");
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(ir::Print(**last), ir::Print(*module_));
}

TEST_F(RunnerTest, DumpDirThatCannotBeMade) {
  options_.dump_dir = "/proc/nowhere";
  EXPECT_THAT(std::string(Run({}).message()), HasSubstr("/proc/nowhere"));
}

TEST_F(RunnerTest, BrokenModuleIsAnInternalErrorThatNamesThePass) {
  options_.dump_dir = folder_;
  const absl::Status status = Run({&kRename, &kBreak, &kRename});
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("pass break left a module that does not verify"));
  EXPECT_THAT(message, HasSubstr("result 0 lives in argument 7, which is not there"));
  EXPECT_THAT(message, HasSubstr("gradus-opt --passes=rename,break " + folder_));
  // The reproducer is the pipeline's input.
  std::string input;
  for (const auto& file : std::filesystem::directory_iterator(folder_)) {
    if (file.path().string().ends_with("-input.ir")) input = Read(file.path().string());
  }
  EXPECT_EQ(input, kText);
}

TEST_F(RunnerTest, VerifyingCanBeTurnedOff) {
  options_.verify_each = false;
  EXPECT_TRUE(Run({&kBreak}).ok());
}

TEST_F(RunnerTest, InputThatDoesNotVerifyIsTheUsersError) {
  module_->functions()[0]->results()[0].alias = 7;
  EXPECT_EQ(Run({&kNothing}).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RunnerTest, ErrorsOfPassesPassThrough) {
  EXPECT_EQ(Run({&kRefuse, &kRename}), absl::InvalidArgumentError("the user's mistake"));
  EXPECT_EQ(module_->functions()[0]->results()[0].name, "");
}

TEST_F(RunnerTest, BisectLimitCountsWhatMayBeLeftOut) {
  options_.bisect_limit = 1;
  options_.print_after_change = true;
  EXPECT_TRUE(Run({&kRename, &kRename, &kRequired, &kRename}).ok());
  EXPECT_EQ(module_->functions()[0]->results()[0].name, "yy");
  EXPECT_THAT(printed_, HasSubstr("// ---- after rename (left out) ----\n"));
}

TEST_F(RunnerTest, TimesEachPass) {
  options_.time_passes = true;
  EXPECT_TRUE(Run({&kNothing, &kRename}).ok());
  EXPECT_THAT(printed_, testing::ContainsRegex("ms .*% +nothing +.unchanged.\n"));
  EXPECT_THAT(printed_, testing::ContainsRegex("ms .*% +rename\n"));
  EXPECT_THAT(printed_, HasSubstr("total"));
}

TEST_F(RunnerTest, FailedChecksNameThePassAndTheReproducer) {
  EXPECT_DEATH((void)Run({&kRename, &kAbort}),
               "1 \\+ 1 == 3 does not hold: sums\n.*in pass abort \\(2 of 2\\) on @m\n.*"
               "to reproduce: gradus-opt --passes=rename,abort .*-input.ir");
}

TEST(PipelinesTest, NamesMayBePipelines) {
  const auto graph = ParsePipeline("graph");
  ASSERT_TRUE(graph.ok());
  const auto twice = ParsePipeline("cse,graph,dce");
  ASSERT_TRUE(twice.ok());
  EXPECT_EQ(twice->size(), graph->size() + 2);
  EXPECT_EQ(twice->front()->name, "cse");
  EXPECT_EQ(twice->back()->name, "dce");
  EXPECT_TRUE(ParsePipeline("")->empty());
}

TEST(PipelinesTest, UnknownNames) {
  for (const char* names : {"csee", "cse,,dce", ",", "cse,"}) {
    const auto passes = ParsePipeline(names);
    EXPECT_FALSE(passes.ok()) << names;
    EXPECT_THAT(std::string(passes.status().message()), HasSubstr("there is no pass or pipeline"));
  }
}

TEST(PipelinesTest, EveryPipelineIsMadeOfPasses) {
  for (const Pipeline& p : AllPipelines()) {
    EXPECT_TRUE(ParsePipeline(p.name).ok()) << p.name;
    EXPECT_EQ(FindPass(p.name), nullptr) << "a pass of the pipeline's name";
  }
  for (size_t i = 1; i < AllPasses().size(); ++i) {
    EXPECT_LT(AllPasses()[i - 1].name, AllPasses()[i].name);
  }
}

}  // namespace
}  // namespace gradus::passes
