#include "tools/driver/run.h"

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/check.h"

namespace gradus::tools {
namespace {

using testing::HasSubstr;

class RunTest : public testing::Test {
 protected:
  int Run(std::vector<std::string> arguments) {
    out_.clear();
    err_.clear();
    return RunRun(arguments, {[this](std::string_view s) { out_ += s; },
                              [this](std::string_view s) { err_ += s; }});
  }
  std::string Write(std::string_view text) {
    const std::string path = testing::TempDir() + "/run_test_" +
                             testing::UnitTest::GetInstance()->current_test_info()->name() + ".ir";
    std::ofstream(path) << text;
    return path;
  }
  std::string out_, err_;
};

constexpr std::string_view kDouble =
    "module @m\nfunc @f(%x: f32[B]) -> (y: f32[B]) {\n  %0 = add %x, %x : f32[B]\n  return %0\n}\n";

TEST_F(RunTest, BadFlagsEndWithTwo) {
  EXPECT_EQ(Run({}), kBadFlags);
  EXPECT_EQ(Run({"a.ir", "--rtol=small"}), kBadFlags);
  EXPECT_EQ(Run({"a.ir", "--inptu=@x.npy"}), kBadFlags);
  EXPECT_THAT(err_, HasSubstr("did you mean --input?"));
  EXPECT_EQ(Run({"a.ir", "--passes=nonsense"}), kBadFlags);
  EXPECT_EQ(Run({"a.ir", "--target-cpu=z80"}), kBadFlags);
  EXPECT_EQ(Run({"a.ir", "--wrt=x"}), kBadFlags);
  EXPECT_EQ(out_, "");
}

TEST_F(RunTest, UserErrorsEndWithOne) {
  const std::string path = Write(kDouble);
  EXPECT_EQ(Run({"/nowhere/a.ir"}), kUserError);
  EXPECT_EQ(Run({path}), kUserError);
  EXPECT_THAT(err_, HasSubstr("add --dim=B=32"));
  EXPECT_EQ(Run({path, "--dim", "B=2", "--output=y.npy"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("--output=y.npy: expected @ and the name of a file"));
  EXPECT_EQ(Run({path, "--dim", "B=2", "--output=@a.npy", "--output=@b.npy"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("--output is given 2 times, @f has 1 results"));
  EXPECT_EQ(Run({path, "--dim", "B=2", "--output=@/nowhere/y.npy"}), kUserError);
  EXPECT_EQ(Run({path, "--dim", "B=2", "--expected_output=@/nowhere/y.npy"}), kUserError);
  EXPECT_EQ(Run({path, "--dim", "B=2", "--passes=graph"}), kUserError);
  EXPECT_THAT(err_, HasSubstr("memory plan"));
  EXPECT_EQ(Run({path, "--dim", "B=2", "--threads=0"}), kUserError);
  EXPECT_EQ(out_, "");
}

TEST_F(RunTest, Runs) {
  const std::string path = Write(kDouble);
  for (const char* passes : {"--passes=default", "--passes=none"}) {
    EXPECT_EQ(Run({path, "--input=0.75", "--dim", "B=2", "--cache=false", passes}), kGood) << err_;
    EXPECT_EQ(out_, "y: f32[2] = [1.5, 1.5]\n");
  }
}

TEST_F(RunTest, TunesForTheSizesOfItsInputs) {
  const std::string path = Write(
      "module @m\nfunc @f(%x: f32[B, 40], %w: f32[40, 33]) -> (y: f32[B, 33]) {\n"
      "  %0 = matmul %x, %w : f32[B, 33]\n  return %0\n}\n");
  const std::vector<std::string> plain = {path, "--dim", "B=2", "--cache=false"};
  EXPECT_EQ(Run(plain), kGood) << err_;
  const std::string expected = out_;
  std::vector<std::string> tuned = plain;
  tuned.emplace_back("--tune");
  EXPECT_EQ(Run(tuned), kGood) << err_;
  EXPECT_EQ(out_, expected);
}

int FailCheck(std::span<const std::string>, const Output&) {
  IR_CHECK(1 + 1 == 3);
  return kGood;
}

TEST(MainTest, FailedChecksAreInternalErrors) {
  char name[] = "prog";
  char* argv[] = {name, nullptr};
  EXPECT_EXIT(Main(1, argv, FailCheck), testing::ExitedWithCode(kInternalError),
              "internal error: .*1 \\+ 1 == 3 does not hold");
}

}  // namespace
}  // namespace gradus::tools
