#include "frontend/training/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace gradus {
namespace {

using testing::HasSubstr;

// What `use` writes to a file that is no terminal.
std::string Written(const std::function<void(std::FILE*)>& use) {
  std::FILE* file = std::tmpfile();
  use(file);
  EXPECT_EQ(std::fseek(file, 0, SEEK_SET), 0);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

void TwoEpochs(std::FILE* out, ProgressMode mode) {
  Progress progress(out, mode, 2, 3, {"accuracy"});
  for (int64_t epoch = 1; epoch <= 2; ++epoch) {
    progress.StartEpoch(epoch);
    for (int64_t step = 1; step <= 3; ++step) progress.Step(step, {0.5, {0.75}});
    EpochRecord record{epoch, {0.41271, {0.81}}, std::nullopt, 2.104};
    if (epoch == 2) record.validation = Evaluation{0.4, {0.9}};
    progress.EndEpoch(record);
  }
}

TEST(Progress, OnePlainLineAnEpochWhereThereIsNoTerminal) {
  const std::string lines =
      "epoch 1/2  3 steps  2.10 s  loss 0.4127  accuracy 0.8100\n"
      "epoch 2/2  3 steps  2.10 s  loss 0.4127  accuracy 0.8100  val_loss 0.4000  val_accuracy "
      "0.9000\n";
  EXPECT_EQ(Written([](std::FILE* f) { TwoEpochs(f, ProgressMode::kAuto); }), lines);
  EXPECT_EQ(Written([](std::FILE* f) { TwoEpochs(f, ProgressMode::kLines); }), lines);
}

TEST(Progress, ShortEpochsAreInMilliseconds) {
  const std::string text = Written([](std::FILE* f) {
    Progress progress(f, ProgressMode::kLines, 1, 4, {});
    progress.StartEpoch(1);
    progress.EndEpoch({1, {0.5, {}}, std::nullopt, 0.00123});
  });
  EXPECT_EQ(text, "epoch 1/1  4 steps  1.2 ms  loss 0.5000\n");
}

TEST(Progress, NothingWhenOff) {
  EXPECT_EQ(Written([](std::FILE* f) { TwoEpochs(f, ProgressMode::kOff); }), "");
}

TEST(Progress, ABarRewritesItsLine) {
  const std::string text = Written([](std::FILE* f) { TwoEpochs(f, ProgressMode::kBar); });
  EXPECT_THAT(text, HasSubstr("\repoch 1/2  [====================] 3/3  "));
  EXPECT_THAT(text, HasSubstr("ms/step  eta 0s  loss 0.5000  accuracy 0.7500"));
  EXPECT_THAT(text, HasSubstr("\repoch 1/2  3 steps  2.10 s  loss 0.4127  accuracy 0.8100"));
  // The last line covers all of the bar that it stands over.
  const size_t bar = text.find("\repoch 1/2  ["), line = text.find("\repoch 1/2  3 steps"),
               end = text.find('\n');
  ASSERT_NE(end, std::string::npos);
  EXPECT_GE(end - line, line - bar);
}

TEST(FormatEvaluation, NamesEveryMetric) {
  EXPECT_EQ(FormatEvaluation({1, {0.5, 0.25}}, {"a", "b"}), "loss 1.0000  a 0.5000  b 0.2500");
  EXPECT_EQ(FormatEvaluation({1, {}}, {}, "val_"), "val_loss 1.0000");
}

}  // namespace
}  // namespace gradus
