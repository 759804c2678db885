#include "tools/driver/opt.h"

#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/registry.h"
#include "passes/pipelines.h"

namespace gradus::tools {
namespace {

using testing::HasSubstr;

class OptTest : public testing::Test {
 protected:
  int Run(std::vector<std::string> arguments) {
    out_.clear();
    err_.clear();
    return RunOpt(arguments, {[this](std::string_view s) { out_ += s; },
                              [this](std::string_view s) { err_ += s; }});
  }
  std::string Write(std::string_view text) {
    const std::string path = testing::TempDir() + "/opt_test_" +
                             testing::UnitTest::GetInstance()->current_test_info()->name() + ".ir";
    std::ofstream(path) << text;
    return path;
  }
  std::string out_, err_;
};

TEST_F(OptTest, BadFlagsEndWithTwo) {
  EXPECT_EQ(Run({}), kBadFlags);
  EXPECT_THAT(err_, HasSubstr("expected one FILE"));
  EXPECT_EQ(Run({"a.ir", "b.ir"}), kBadFlags);
  EXPECT_EQ(Run({"a.ir", "--passes=nonsense"}), kBadFlags);
  EXPECT_THAT(err_, HasSubstr("there is no pass or pipeline 'nonsense'"));
  EXPECT_EQ(Run({"a.ir", "--emit=lops"}), kBadFlags);
  EXPECT_THAT(err_, HasSubstr("did you mean loops?"));
  EXPECT_EQ(Run({"a.ir", "--target-cpu=z80"}), kBadFlags);
  EXPECT_THAT(err_, HasSubstr("z80"));
  EXPECT_EQ(Run({"a.ir", "--wrt=x"}), kBadFlags);
  EXPECT_THAT(err_, HasSubstr("--grad=RESULT, which is missing"));
  EXPECT_EQ(out_, "");
}

TEST_F(OptTest, PrintsTargets) {
  EXPECT_EQ(Run({"--print-targets"}), kGood);
  EXPECT_THAT(out_, testing::ContainsRegex("x86-64-v3 +256 +16 +yes +(yes|no) +x86_64-"));
  EXPECT_THAT(out_, testing::ContainsRegex("scalar +none +"));
}

TEST_F(OptTest, UserErrorsEndWithOne) {
  EXPECT_EQ(Run({"/nowhere/a.ir"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("/nowhere/a.ir"));
  const std::string path =
      Write("module @m\nfunc @f(%x: f32[2]) -> () {\n  %0 = tahn %x : f32[2]\n");
  EXPECT_EQ(Run({path}), kUserError);
  EXPECT_THAT(err_, testing::StartsWith(path + ":3:8: error: there is no op 'tahn'\n"));
  EXPECT_EQ(out_, "");
}

TEST_F(OptTest, WritesFiles) {
  const std::string path = Write("module @m\n");
  const std::string to = path + ".out";
  EXPECT_EQ(Run({path, "-o", to}), kGood);
  EXPECT_EQ(out_, "");
  std::stringstream text;
  text << std::ifstream(to).rdbuf();
  EXPECT_EQ(text.str(), "module @m\n");
  EXPECT_EQ(Run({path, "-o", "/nowhere/x.ir"}), kUserError);
}

TEST_F(OptTest, GradientMistakes) {
  const std::string path = Write(
      "module @m\nfunc @f(%x: f32[2], %n: i32[]) -> (loss: f32[], h: f32[2]) {\n"
      "  %0 = tanh %x : f32[2]\n  %1 = reduce_sum %0 {axes = [0]} : f32[]\n  return %1, %0\n}\n"
      "func @g() -> () {\n  return\n}\n");
  EXPECT_EQ(Run({path, "--grad=loss"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("choose one of @f, @g with --function=NAME"));
  EXPECT_EQ(Run({path, "--grad=loss", "--function=h"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("module @m has no function @h"));
  EXPECT_EQ(Run({path, "--grad=los", "--function=f"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("@f has no result 'los'\n  help: it has loss, h"));
  EXPECT_EQ(Run({path, "--grad=2", "--function=f"}), kUserError);
  EXPECT_EQ(Run({path, "--grad=h", "--function=f"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("result 'h' of @f is f32[2], expected a scalar of f32 or f64"));
  EXPECT_EQ(Run({path, "--grad=loss", "--function=f", "--wrt=y"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("@f has no argument 'y'\n  help: it has x, n"));
  EXPECT_EQ(Run({path, "--grad=loss", "--function=f", "--wrt=n"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("argument 'n' of @f is i32[]"));
  EXPECT_EQ(Run({path, "--grad=0", "--function=@f", "--wrt=%x"}), kGood) << err_;
  EXPECT_THAT(out_, HasSubstr("-> (d_x: f32[2])"));
}

TEST_F(OptTest, ListsEveryOpAndPass) {
  EXPECT_EQ(Run({"--print-ops"}), kGood);
  for (const ir::OpDef* op : ir::AllOps()) {
    EXPECT_THAT(out_, HasSubstr("\n    " + std::string(op->summary) + "\n"));
  }
  EXPECT_EQ(Run({"--print-passes"}), kGood);
  for (const passes::Pass& p : passes::AllPasses()) {
    EXPECT_THAT(out_, HasSubstr(std::string(p.summary)));
  }
}

TEST_F(OptTest, HelpFitsOneScreen) {
  EXPECT_EQ(Run({"--help"}), kGood);
  EXPECT_LE(std::count(out_.begin(), out_.end(), '\n'), 40);
  std::stringstream lines(out_);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

}  // namespace
}  // namespace gradus::tools
