#include "tools/driver/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "frontend/training/history.h"
#include "runtime/files.h"

namespace gradus::tools {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Ran {
  int code;
  std::string out, err;
};

Ran Report(std::vector<std::string> arguments) {
  Ran ran;
  ran.code = RunReport(arguments, {[&](std::string_view text) { ran.out += text; },
                                   [&](std::string_view text) { ran.err += text; }});
  return ran;
}

std::string FileWith(const std::string& name, const std::string& text) {
  const std::string path = ::testing::TempDir() + "/" + name;
  EXPECT_TRUE(runtime::WriteFileAtomically(path, text).ok());
  return path;
}

std::string HistoryFile(const std::string& name, const std::string& model) {
  History h;
  h.model = model;
  h.epochs = {{.epoch = 1, .training = {.loss = 0.5}}, {.epoch = 2, .training = {.loss = 0.25}}};
  return FileWith(name, h.ToJson());
}

TEST(ReportTool, DrawsHistories) {
  const std::string page = ::testing::TempDir() + "/tool_report.html";
  Ran ran = Report({HistoryFile("a.json", "rnn"), HistoryFile("b.json", "lstm"), "-o", page});
  EXPECT_EQ(ran.code, kGood) << ran.err;
  EXPECT_EQ(ran.out, "wrote " + page + "\n");
  EXPECT_THAT(runtime::ReadFile(page).value(),
              AllOf(HasSubstr("<b>rnn, training</b>"), HasSubstr("<b>lstm, training</b>")));
  // One model twice: the names of the files tell them apart.
  ran = Report({HistoryFile("a.json", "rnn"), HistoryFile("b.json", "rnn"), "--output=" + page});
  EXPECT_EQ(ran.code, kGood) << ran.err;
  EXPECT_THAT(runtime::ReadFile(page).value(),
              AllOf(HasSubstr("<b>a, training</b>"), HasSubstr("<b>b, training</b>")));
}

TEST(ReportTool, SaysWhatIsWrong) {
  Ran ran = Report({"/no/such/history.json"});
  EXPECT_EQ(ran.code, kUserError);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("error: "), HasSubstr("/no/such/history.json")));
  ran = Report({FileWith("broken.json", "{\"schema\": ")});
  EXPECT_EQ(ran.code, kUserError);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("broken.json"), HasSubstr("not JSON")));
  ran = Report({FileWith("later.json", R"({"schema": "gradus-history", "version": 99})")});
  EXPECT_EQ(ran.code, kUserError);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("later.json"), HasSubstr("version 99")));
  ran = Report({HistoryFile("a.json", "rnn"), "-o", "/no/such/folder/report.html"});
  EXPECT_EQ(ran.code, kUserError);
  EXPECT_THAT(ran.err, HasSubstr("/no/such/folder"));
}

TEST(ReportTool, ExplainsItsFlags) {
  EXPECT_EQ(Report({}).code, kBadFlags);
  EXPECT_THAT(Report({}).err, HasSubstr("expected at least one HISTORY"));
  EXPECT_EQ(Report({"a.json", "--outptu=b"}).code, kBadFlags);
  EXPECT_THAT(Report({"a.json", "--outptu=b"}).err, HasSubstr("did you mean --output"));
  const Ran help = Report({"--help"});
  EXPECT_EQ(help.code, kGood);
  EXPECT_THAT(help.out,
              AllOf(HasSubstr("usage: gradus-report HISTORY..."), HasSubstr("examples:")));
}

}  // namespace
}  // namespace gradus::tools
