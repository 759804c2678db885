#include "tools/driver/flags.h"

#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gradus::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FlagsTest : public testing::Test {
 protected:
  std::optional<int> Parse(std::vector<std::string> arguments) {
    return ParseFlags(program_, arguments, output_);
  }
  bool on_ = true, off_ = false;
  int64_t number_ = -1;
  double real_ = 0;
  std::string text_;
  std::vector<std::string> list_, files_;
  Program program_{.name = "prog",
                   .summary = "does things",
                   .usage = "FILE",
                   .flags = {{"on", "", "a switch", &on_},
                             {"off", "", "a switch", &off_},
                             {"opt-bisect-limit", "N", "a number", &number_},
                             {"rtol", "X", "a real number", &real_},
                             {"passes", "NAMES", "names", &text_, "p"},
                             {"input", "@F", "files", &list_}},
                   .files = &files_,
                   .examples = "  prog x\n"};
  std::string out_, err_;
  Output output_{[this](std::string_view s) { out_ += s; },
                 [this](std::string_view s) { err_ += s; }};
};

TEST_F(FlagsTest, EveryKind) {
  EXPECT_EQ(Parse({"--on=false", "--off", "--opt-bisect-limit=3", "--rtol=1e-3", "--passes=a,b",
                   "--input=@x.npy", "one", "--input", "@y.npy", "-"}),
            std::nullopt)
      << err_;
  EXPECT_FALSE(on_);
  EXPECT_TRUE(off_);
  EXPECT_EQ(number_, 3);
  EXPECT_EQ(real_, 1e-3);
  EXPECT_EQ(text_, "a,b");
  EXPECT_THAT(list_, ElementsAre("@x.npy", "@y.npy"));
  EXPECT_THAT(files_, ElementsAre("one", "-"));
}

TEST_F(FlagsTest, OneDashWorksForLongNames) {
  EXPECT_EQ(Parse({"-opt-bisect-limit=-1", "-passes", "x", "-p", "y"}), kBadFlags);
  EXPECT_EQ(Parse({"-opt-bisect-limit=7", "-passes", "x"}), std::nullopt);
  EXPECT_EQ(number_, 7);
  EXPECT_EQ(text_, "x");
}

TEST_F(FlagsTest, NegativeValuesAndFilesAfterTwoDashes) {
  EXPECT_EQ(Parse({"--rtol=-1", "--", "--on=false"}), std::nullopt) << err_;
  EXPECT_EQ(real_, -1);
  EXPECT_TRUE(on_);
  EXPECT_THAT(files_, ElementsAre("--on=false"));
}

TEST_F(FlagsTest, UnknownFlagsGetASuggestion) {
  EXPECT_EQ(Parse({"--pases=x"}), kBadFlags);
  EXPECT_THAT(err_, HasSubstr("prog: error: there is no flag --pases=x, did you mean --passes?"));
  err_.clear();
  EXPECT_EQ(Parse({"--quite-something-else"}), kBadFlags);
  EXPECT_THAT(err_, testing::Not(HasSubstr("did you mean")));
  EXPECT_THAT(err_, HasSubstr("help: prog --help lists the flags"));
}

TEST_F(FlagsTest, BadValues) {
  EXPECT_EQ(Parse({"--opt-bisect-limit=many"}), kBadFlags);
  EXPECT_THAT(err_, HasSubstr("opt-bisect-limit"));
  EXPECT_EQ(Parse({"--passes"}), kBadFlags);
}

TEST_F(FlagsTest, HelpEndsWithExamples) {
  EXPECT_EQ(Parse({"--help"}), kGood);
  EXPECT_TRUE(out_.starts_with("prog: does things\nusage: prog FILE\n")) << out_;
  EXPECT_TRUE(out_.ends_with("examples:\n  prog x\n")) << out_;
  EXPECT_THAT(out_, HasSubstr("--opt-bisect-limit=N"));
}

TEST_F(FlagsTest, Version) {
  EXPECT_EQ(Parse({"--version"}), kGood);
  EXPECT_THAT(out_, testing::MatchesRegex("prog [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(FlagsTest, ExitCodes) {
  EXPECT_EQ(Finish(absl::OkStatus(), output_), kGood);
  EXPECT_EQ(Finish(absl::InvalidArgumentError("a.ir:1:2: error: bad"), output_), kUserError);
  EXPECT_EQ(err_, "a.ir:1:2: error: bad\n");
  err_.clear();
  EXPECT_EQ(Finish(absl::NotFoundError("no such file"), output_), kUserError);
  EXPECT_EQ(err_, "error: no such file\n");
  EXPECT_EQ(Finish(absl::InternalError("internal error: oh"), output_), kInternalError);
}

}  // namespace
}  // namespace gradus::tools
