#include "frontend/training/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace gradus {
namespace {

using ::testing::HasSubstr;

History Sample() {
  History h;
  h.model = "theft \"1\" \xc3\xa9";
  h.metric_names = {"accuracy", "auc"};
  EpochRecord e{.epoch = 1, .training = {0.1 + 0.2, {1.0 / 3, 0.5}}, .seconds = 1.25, .steps = 8};
  e.learning_rate = 1e-3;
  h.epochs.push_back(e);
  e.epoch = 2;
  e.validation = Evaluation{std::numeric_limits<double>::quiet_NaN(),
                            {std::numeric_limits<double>::infinity(), 0.0}};
  e.training.tables = {{"confusion_matrix", {"0", "1"}, {3, 1, 0, 4}}};
  h.epochs.push_back(e);
  h.steps.step = {1, 2};
  h.steps.milliseconds = {0.5, 0.25};
  h.steps.loss = {0.7, 0.1 * 3};
  h.steps.learning_rate = {1e-3, 1e-3};
  h.steps.norms = {{"hidden.kernel", {1e-30, 2}, {3, 4}}};
  h.scores = {{"test", "p", 1, {0, 1}, {0.25, 0.75}}};
  h.layers = {{"hidden", "dense", "[B, 8]", 32, "kernel_0"}};
  h.parameters = 41;
  h.compile_ms = 12.5;
  h.seed = std::numeric_limits<uint64_t>::max();
  h.batch_size = 32;
  h.stopped = "val_loss did not improve";
  return h;
}

TEST(History, ReadsBackWhatWasWritten) {
  const History h = Sample();
  const auto back = History::ParseJson(h.ToJson());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->ToJson(), h.ToJson());
  EXPECT_EQ(back->model, h.model);
  EXPECT_EQ(back->seed, h.seed);
  EXPECT_EQ(back->epochs[0].training.loss, 0.1 + 0.2) << "not the same bits";
  EXPECT_EQ(back->epochs[0].training.metrics[0], 1.0 / 3);
  EXPECT_FALSE(back->epochs[0].validation.has_value());
  EXPECT_TRUE(std::isnan(back->epochs[1].validation->loss));
  EXPECT_TRUE(std::isinf(back->epochs[1].validation->metrics[0]));
  EXPECT_EQ(back->epochs[1].training.tables[0].values[3], 4);
  EXPECT_EQ(back->steps.norms[0].gradient[0], 1e-30);
  EXPECT_EQ(back->scores[0].scores[1], 0.75);
  EXPECT_EQ(back->layers[0].fused_into, "kernel_0");
}

TEST(History, WritesAndReadsAFile) {
  const std::string path = ::testing::TempDir() + "/gradus_history.json";
  ASSERT_TRUE(Sample().WriteJson(path).ok());
  const auto back = History::ReadJson(path);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->ToJson(), Sample().ToJson());
  EXPECT_EQ(History::ReadJson(path + ".none").status().code(), absl::StatusCode::kNotFound);
}

TEST(History, UnknownFieldsAreSkipped) {
  const auto h = History::ParseJson(
      R"({"schema": "gradus-history", "version": 1, "later": {"a": [1]}, "model": "m"})");
  ASSERT_TRUE(h.ok()) << h.status();
  EXPECT_EQ(h->model, "m");
  EXPECT_TRUE(h->epochs.empty());
}

TEST(History, RefusesWhatIsWrongByField) {
  const auto message = [](const std::string& fields) {
    std::string text = R"({"schema": "gradus-history", "version": 1)";
    if (!fields.empty()) text += ", " + fields;
    return std::string(History::ParseJson(text + "}", "h.json").status().message());
  };
  EXPECT_EQ(message(""), "");
  EXPECT_EQ(std::string(History::ParseJson("{", "h.json").status().message()),
            "h.json: not JSON, expected a history as WriteJson writes it");
  EXPECT_THAT(std::string(History::ParseJson("{}", "h.json").status().message()),
              HasSubstr("schema: expected \"gradus-history\", got \"\""));
  EXPECT_THAT(
      std::string(
          History::ParseJson(R"({"schema": "gradus-history", "version": 2})").status().message()),
      HasSubstr("this program reads version 1, the file is of version 2"));
  EXPECT_THAT(message(R"("seed": -1)"), HasSubstr("h.json: seed: expected a whole number of 0"));
  EXPECT_THAT(message(R"("batch_size": 1.5)"), HasSubstr("batch_size: expected a whole number"));
  EXPECT_THAT(message(R"("epochs": [{"epoch": 1}, 7])"),
              HasSubstr("epochs[1]: expected an object, got 7"));
  EXPECT_THAT(message(R"("epochs": [{"training": {"loss": "x"}}])"),
              HasSubstr("epochs[0].training.loss: expected a number, null"));
  EXPECT_THAT(message(R"("steps": {"step": [1, 2], "loss": [1]})"),
              HasSubstr("steps.milliseconds: expected 2 entries, got 0"));
  EXPECT_THAT(message(R"("scores": [{"classes": 3, "labels": [1], "scores": [1, 2]}])"),
              HasSubstr("1 labels of 3 classes, but 2 scores"));
}

TEST(History, LongTrainingsKeepEveryNthStep) {
  StepRecords s;
  s.norms = {{"w", {}, {}}};
  s.Reserve();
  const auto capacity = s.step.capacity();
  for (int64_t step = 1; step <= 20'000; ++step) {
    if (!s.Wants(step)) continue;
    s.step.push_back(step);
    for (auto* column :
         {&s.milliseconds, &s.loss, &s.learning_rate, &s.norms[0].gradient, &s.norms[0].weight}) {
      column->push_back(static_cast<double>(step));
    }
  }
  EXPECT_EQ(s.stride, 8);
  ASSERT_EQ(s.step.size(), 2500U);
  EXPECT_EQ(s.step.capacity(), capacity);
  for (size_t i = 0; i < s.step.size(); ++i) {
    ASSERT_EQ(s.step[i], static_cast<int64_t>(8 * i) + 1);
    ASSERT_EQ(s.loss[i], static_cast<double>(s.step[i]));
    ASSERT_EQ(s.norms[0].weight[i], s.loss[i]);
  }
}

}  // namespace
}  // namespace gradus
