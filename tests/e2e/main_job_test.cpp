// The program of examples/electricity_theft as its users run it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace gradus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Ran {
  int code = -1;
  std::string output;  // of both streams
};

Ran RunProgram(const std::string& flags) {
  Ran ran;
  const std::string command = fmt::format("'{}' {} 2>&1", GRADUS_ELECTRICITY_THEFT, flags);
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return ran;
  std::array<char, 4096> buffer{};
  while (const size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    ran.output.append(buffer.data(), n);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) ran.code = WEXITSTATUS(status);
  return ran;
}

nlohmann::ordered_json LastLine(const Ran& ran) {
  const size_t end = ran.output.find_last_not_of('\n');
  const size_t begin = ran.output.rfind('\n', end);
  return nlohmann::ordered_json::parse(ran.output.substr(begin + 1, end - begin), nullptr, false);
}

TEST(MainJob, LearnsOnSyntheticCustomers) {
  const Ran ran = RunProgram("--epochs=40 --json");
  ASSERT_EQ(ran.code, 0) << ran.output;
  const auto json = LastLine(ran);
  ASSERT_TRUE(json.is_object()) << ran.output;
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_THAT(keys, ElementsAre("model", "seed", "params", "epochs", "train_loss",
                                "test_loss_before", "test_accuracy_before", "test_loss",
                                "test_accuracy", "test_auc", "seconds", "compile_ms"));
  EXPECT_EQ(json["model"], "mlp");
  EXPECT_EQ(json["seed"], 0);
  EXPECT_EQ(json["params"], 12 * 64 + 64 + 64 + 1);
  EXPECT_EQ(json["epochs"], 40);
  EXPECT_LT(json["test_loss"].get<double>(), 0.5 * json["test_loss_before"].get<double>());
  EXPECT_LT(json["train_loss"].get<double>(), json["test_loss_before"].get<double>());
  const double always_normal = 1 - 571.0 / 5000;  // "5000 customers, 571 thieves", stratified
  EXPECT_THAT(
      ran.output,
      HasSubstr("synthetic customers: 5000 customers, 571 thieves, 12 months; 3500 to train, "
                "1500 to test\n"));
  EXPECT_GT(json["test_accuracy"].get<double>(), always_normal + 0.01);
  EXPECT_GT(json["test_auc"].get<double>(), 0.8);
  EXPECT_GT(json["seconds"].get<double>(), 0);
  EXPECT_GT(json["compile_ms"].get<double>(), 0);
  EXPECT_THAT(ran.output, HasSubstr("Model \"mlp\"\n"));
  EXPECT_THAT(ran.output, HasSubstr("before training, on the test part: loss "));
  EXPECT_THAT(ran.output, HasSubstr("\nepoch 40/40  110 steps  "));
  EXPECT_THAT(ran.output, HasSubstr("after training, on the test part:  loss "));
}

TEST(MainJob, TheSameSeedGivesTheSameNumbersWithAnyNumberOfThreads) {
  const auto run = [](const char* flags) {
    auto json = LastLine(RunProgram(std::string("--epochs=5 --json ") + flags));
    json.erase("seconds");
    json.erase("compile_ms");
    return json.dump();
  };
  const std::string first = run("--seed=3");
  EXPECT_THAT(first, HasSubstr("\"seed\":3"));
  EXPECT_EQ(run("--seed=3"), first);
  EXPECT_EQ(run("--seed=3 --threads=1"), first);
  EXPECT_EQ(run("--seed=3 --threads=2"), first);
  EXPECT_NE(run("--seed=4"), first);
  EXPECT_NE(run("--seed=3 --batch_size=7"), first);
}

std::string WriteFile(const char* name, const std::string& text) {
  std::string path = ::testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

TEST(MainJob, TakesAnyCsvOfItsForm) {
  std::string csv = "CUSTOMER,FLAG,q1,q2,q3\r\n";
  for (int i = 0; i < 60; ++i)
    csv += fmt::format("C{},{},{},{},{}\r\n", i, i % 4 == 0 ? 1 : 0, i % 4 == 0 ? 0 : 90 + i,
                       i == 7 ? "" : "12", i == 9 ? "n/k" : "3");
  const std::string path = WriteFile("own.csv", csv);
  const Ran ran = RunProgram(fmt::format("--data='{}' --epochs=60 --batch_size=8 --json", path));
  ASSERT_EQ(ran.code, 0) << ran.output;
  EXPECT_THAT(ran.output,
              HasSubstr("own.csv: 60 customers, 15 thieves, 3 months; 42 to train, 18 to test\n"));
  EXPECT_EQ(LastLine(ran)["test_accuracy"], 1.0);
}

TEST(MainJob, BadFlagsEndWithTwo) {
  for (const auto& [flags, message] : std::vector<std::pair<std::string, std::string>>{
           {"--bogus", "--bogus"},
           {"--epochs=0", "--epochs: Value 0 not in range"},
           {"--seed=-1", "--seed"},
           {"--threads=x", "--threads"},
           {"--batch_size=1.5", "--batch_size"},
           {"--model=lstmm", "--model=lstmm: there is no such model; expected mlp, rnn, cnn"}}) {
    const Ran ran = RunProgram(flags);
    EXPECT_EQ(ran.code, 2) << flags << "\n" << ran.output;
    EXPECT_THAT(ran.output, HasSubstr(message));
  }
  EXPECT_EQ(RunProgram("--help").code, 0);
}

TEST(MainJob, WrongDataEndWithOne) {
  const std::string no_flag = WriteFile("no_flag.csv", "CUSTOMER,Jan\nC1,2\nC2,3\n");
  const std::string bad_flag = WriteFile("bad_flag.csv", "CUSTOMER,FLAG,Jan\nC1,0,2\nC2,7,3\n");
  const std::string ragged = WriteFile("ragged.csv", "CUSTOMER,FLAG,Jan\nC1,0,2\nC2,1\n");
  const std::string rows = WriteFile("rows.npy", "no npy");
  for (const auto& [flags, message] : std::vector<std::pair<std::string, std::string>>{
           {"--data=/nowhere/meters.csv", "error: cannot open `/nowhere/meters.csv`"},
           {"--data='" + no_flag + "'",
            "there is no column FLAG; expected CUSTOMER, FLAG and numeric columns"},
           {"--data='" + bad_flag + "'",
            "FLAG of customer 2 is 7, expected 0 (honest) or 1 (thief)"},
           {"--data='" + ragged + "'", "ragged.csv:3: expected 3 cells as in line 1, got 2"},
           {"--train_rows='" + rows + "'", "--train_rows and --test_rows belong together"},
           {fmt::format("--train_rows='{0}' --test_rows='{0}'", rows), "rows.npy"}}) {
    const Ran ran = RunProgram(flags);
    EXPECT_EQ(ran.code, 1) << flags << "\n" << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("error: "));
    EXPECT_THAT(ran.output, HasSubstr(message));
  }
}

}  // namespace
}  // namespace gradus
