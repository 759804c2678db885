#include "frontend/training/callbacks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "fmt/format.h"
#include "runtime/files.h"
#include "tests/unit/frontend/training_fixture.h"

namespace gradus {
namespace {

using ::gradus::testing::FreshSumsTrainer;
using ::gradus::testing::QuietFit;
using ::gradus::testing::StateBits;
using ::gradus::testing::SumsData;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// Feeds losses to a callback, one an epoch; returns the rates after each, until it stops.
std::vector<double> Feed(Callback& callback, const std::vector<double>& losses,
                         std::string* reason = nullptr) {
  Trainer& trainer = FreshSumsTrainer();
  trainer.SetLearningRate(1);
  History history;
  TrainingControl control(trainer, history);
  EXPECT_TRUE(callback.OnTrainBegin(control, false).ok());
  std::vector<double> rates;
  for (const double loss : losses) {
    history.epochs.push_back(
        {.epoch = static_cast<int64_t>(history.epochs.size()) + 1, .training = {loss, {}}});
    EXPECT_TRUE(callback.OnEpochEnd(history.epochs.back(), control).ok());
    rates.push_back(trainer.learning_rate());
    if (control.stopped()) break;
  }
  if (reason != nullptr) *reason = control.reason();
  trainer.SetLearningRate(0.02);
  return rates;
}

TEST(Callbacks, AreCalledInOrderWithWhatHappened) {
  struct Log : Callback {
    explicit Log(std::vector<std::string>& to) : lines(to) {}
    std::string_view name() const override { return "log"; }
    absl::Status OnTrainBegin(TrainingControl&, bool resumed) override {
      lines.emplace_back(resumed ? "resumed" : "begin");
      return absl::OkStatus();
    }
    absl::Status OnBatchEnd(const BatchLog& b, TrainingControl&) override {
      EXPECT_TRUE(std::isfinite(b.Running().loss));
      lines.push_back(
          fmt::format("batch {} {} {} {}", b.epoch, b.step_in_epoch, b.step, b.samples));
      return absl::OkStatus();
    }
    absl::Status OnEpochEnd(const EpochRecord& e, TrainingControl& control) override {
      EXPECT_EQ(control.history().epochs.back().epoch, e.epoch);
      lines.push_back(fmt::format("epoch {}", e.epoch));
      return absl::OkStatus();
    }
    absl::Status OnTrainEnd(TrainingControl&) override {
      lines.emplace_back("end");
      return absl::OkStatus();
    }
    std::vector<std::string>& lines;
  };
  std::vector<std::string> lines;
  auto options = QuietFit(2);
  options.callbacks = {std::make_shared<Log>(lines),
                       [&](const EpochRecord& e, TrainingControl& control) {
                         lines.push_back(fmt::format("function {}", e.epoch));
                         control.Stop("enough");
                         return absl::OkStatus();
                       }};
  const auto history = FreshSumsTrainer().Fit(SumsData(20, 1), options);
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_EQ(history->stopped, "enough");
  EXPECT_THAT(lines, ElementsAre("begin", "batch 1 1 1 16", "batch 1 2 2 4", "epoch 1",
                                 "function 1", "end"));
}

TEST(Callbacks, AnErrorEndsFit) {
  auto options = QuietFit(3);
  int calls = 0;
  options.callbacks = {[&](const EpochRecord&, TrainingControl&) -> absl::Status {
    ++calls;
    return absl::InternalError("mine");
  }};
  EXPECT_EQ(Message(FreshSumsTrainer().Fit(SumsData(20, 1), options).status()), "mine");
  EXPECT_EQ(calls, 1);
}

TEST(Callbacks, WhatIsNotThereCannotBeWatched) {
  auto options = QuietFit(1);
  options.callbacks = {EarlyStopping()};
  EXPECT_EQ(Message(FreshSumsTrainer().Fit(SumsData(20, 1), options).status()),
            "there is no \"val_loss\" to watch; there are loss, accuracy\n  help: give Fit data to "
            "validate with, FitOptions::validation");
}

TEST(EarlyStopping, BearsItsPatience) {
  std::string reason;
  EarlyStopping none({.monitor = "loss", .patience = 0});
  EXPECT_THAT(Feed(none, {3, 2, 2, 1}, &reason), SizeIs(3));
  EXPECT_EQ(reason, "early stopping: loss did not improve on 2 of epoch 2");
  EarlyStopping two({.monitor = "loss", .patience = 2});
  EXPECT_THAT(Feed(two, {3, 4, 5, 2, 3, 3, 3, 1}), SizeIs(7));
  EXPECT_EQ(two.best_epoch(), 4);
  EXPECT_EQ(two.best(), 2);
  EarlyStopping delta({.monitor = "loss", .patience = 0, .min_delta = 0.5});
  EXPECT_THAT(Feed(delta, {3, 2, 1.6, 1}), SizeIs(3));
  EarlyStopping larger({.monitor = "loss", .patience = 0, .mode = Better::kLarger});
  EXPECT_THAT(Feed(larger, {1, 2, 3, 2, 9}), SizeIs(4));
  EarlyStopping nan({.monitor = "loss", .patience = 1});
  EXPECT_THAT(Feed(nan, {kNan, 2, kNan, kNan, 1}), SizeIs(4));
}

TEST(EarlyStopping, RestoresTheBestWeights) {
  const data::Dataset train = SumsData(30, 1), validation = SumsData(30, 2);
  auto options = QuietFit(40);
  options.validation = &validation;
  const auto stopping = std::make_shared<EarlyStopping>(EarlyStoppingOptions{.patience = 3});
  options.callbacks = {stopping};
  Trainer& t = FreshSumsTrainer();
  t.SetLearningRate(0.3);
  const auto history = t.Fit(train, options);
  ASSERT_TRUE(history.ok()) << history.status();
  ASSERT_THAT(history->stopped, StartsWith("early stopping"));
  ASSERT_LT(static_cast<size_t>(stopping->best_epoch()), history->epochs.size());
  EXPECT_EQ(t.Evaluate(validation)->loss, stopping->best());
  EXPECT_EQ(history->epochs[static_cast<size_t>(stopping->best_epoch()) - 1].validation->loss,
            stopping->best());
}

TEST(ReduceLROnPlateau, FallsAsInKeras) {
  ReduceLROnPlateau plain({.monitor = "loss", .factor = 0.5, .patience = 2});
  EXPECT_THAT(Feed(plain, {3, 3, 3, 3, 3, 2, 2, 2}),
              ElementsAre(1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125));
  ReduceLROnPlateau floor(
      {.monitor = "loss", .factor = 0.1, .patience = 1, .min_learning_rate = 0.05});
  EXPECT_THAT(Feed(floor, {3, 3, 3, 3}), ElementsAre(1, 0.1, 0.05, 0.05));
  ReduceLROnPlateau cooled({.monitor = "loss", .factor = 0.5, .patience = 1, .cooldown = 2});
  EXPECT_THAT(Feed(cooled, {3, 3, 3, 3, 3, 3}), ElementsAre(1, 0.5, 0.5, 0.25, 0.25, 0.125));
  ReduceLROnPlateau wrong({.factor = 1});
  Trainer& t = FreshSumsTrainer();
  History history;
  TrainingControl control(t, history);
  EXPECT_THAT(Message(wrong.OnTrainBegin(control, false)), HasSubstr("between 0 and 1, got 1"));
}

TEST(CsvLog, WritesALineAnEpoch) {
  const std::string path = ::testing::TempDir() + "/gradus_log.csv";
  const data::Dataset train = SumsData(20, 1), validation = SumsData(20, 2);
  auto options = QuietFit(2);
  options.validation = &validation;
  options.callbacks = {CsvLog(path)};
  const auto history = FreshSumsTrainer().Fit(train, options);
  ASSERT_TRUE(history.ok()) << history.status();
  const auto table = data::ReadCsv(path);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->names(), ElementsAre("epoch", "seconds", "learning_rate", "loss", "accuracy",
                                          "val_loss", "val_accuracy"));
  ASSERT_EQ(table->rows(), 2);
  EXPECT_EQ(table->Numbers("loss").value()[1], history->epochs[1].training.loss);
  EXPECT_EQ(table->Numbers("val_accuracy").value()[0], history->epochs[0].validation->metrics[0]);
}

TEST(Fit, KeepsScoresForCurves) {
  const data::Dataset train = SumsData(20, 1), validation = SumsData(20, 2);
  auto options = QuietFit(1);
  options.validation = &validation;
  const auto history = FreshSumsTrainer().Fit(train, options);
  ASSERT_TRUE(history.ok()) << history.status();
  ASSERT_THAT(history->scores, SizeIs(1));
  EXPECT_EQ(history->scores[0].part, "validation");
  EXPECT_EQ(history->scores[0].output, "p");
  EXPECT_EQ(history->scores[0].classes, 1);
  EXPECT_THAT(history->scores[0].labels, SizeIs(20));
  EXPECT_THAT(history->scores[0].scores, SizeIs(20));
  EXPECT_THAT(history->steps.step, ElementsAre(1, 2));
  EXPECT_EQ(history->model, "sums");
  EXPECT_FALSE(history->layers.empty());
}

TEST(Fit, PrefetchingChangesNoBit) {
  const data::Dataset train = SumsData(70, 1);
  auto options = QuietFit(3);
  Trainer& t = FreshSumsTrainer();
  ASSERT_TRUE(t.Fit(train, options).ok());
  const std::string plain = StateBits(t);
  options.prefetch = true;
  ASSERT_TRUE(FreshSumsTrainer().Fit(train, options).ok());
  EXPECT_EQ(StateBits(t), plain);
}

// The data of 20 samples with one number of sample 13 replaced.
data::Dataset Spoilt(float value) {
  const data::Dataset good = SumsData(20, 1);
  runtime::Tensor x = good.inputs()[0].tensor.Clone().value();
  x.data<float>()[13 * 3 + 2] = value;
  return data::Dataset::Of({"x", std::move(x)}, {"y", good.targets()[0].tensor.Clone().value()})
      .value();
}

TEST(Divergence, NamesTheInput) {
  auto options = QuietFit(2);
  options.shuffle = false;
  options.batch_size = 8;
  const data::Dataset spoilt = Spoilt(std::numeric_limits<float>::quiet_NaN());
  const auto status = FreshSumsTrainer().Fit(spoilt, options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), StartsWith("fit: the loss is nan at step 2 (epoch 1, step 2 of 3)\n"
                                          "  first bad: the input \"x\": element [5, 2] of x is "
                                          "nan of the batch, sample 13 of the data\n"));
}

TEST(Divergence, NamesTheGradientAndStandsBeforeTheStep) {
  auto options = QuietFit(3);
  options.batch_size = 20;
  Trainer& t = FreshSumsTrainer();
  const data::Dataset data = SumsData(20, 1);
  // A weight that overflows the forward pass from the second epoch on.
  options.callbacks = {[](const EpochRecord& e, TrainingControl& control) {
    if (e.epoch > 1) return absl::OkStatus();
    const auto huge = runtime::Tensor::FromVector<float>({1}, {std::nanf("")}).value();
    return control.trainer().SetParameter("out.bias", huge);
  }};
  const auto status = t.Fit(data, options).status();
  EXPECT_THAT(Message(status), HasSubstr("at step 2 (epoch 2, step 1 of 1)"));
  EXPECT_THAT(Message(status), HasSubstr("first bad: the output p: element [0, 0] of p is nan"));
}

TEST(Divergence, FindsTheStepWhereWeightsWentWrong) {
  Model m("line");
  const Tensor x = m.Input("x", {kBatch, 1});
  m.Output("y", matmul(x, m.Parameter("w", {1, 1}, Constant(1))));
  auto t = Compile(m, {.optimizer = SGD(1e30), .loss = mean_squared_error}, {.cache_dir = ""});
  ASSERT_TRUE(t.ok()) << t.status();
  const auto xs = runtime::Tensor::FromVector<float>({4, 1}, {1, 2, 3, 4}).value();
  const auto data = data::Dataset::Of({"x", xs.Clone().value()}, {"y", xs.Clone().value()});
  t->SetLearningRate(1e30);
  auto options = QuietFit(1, 1);
  options.shuffle = false;
  ASSERT_TRUE(t->Fit(*data, options).ok()) << "w = 1 is the answer, its gradient is 0";
  const auto two = runtime::Tensor::FromVector<float>({1, 1}, {2}).value();
  ASSERT_TRUE(t->SetParameter("w", two).ok());
  const auto status = t->Fit(*data, options).status();
  // w = 2, 2 - 2e30, then the square of 1e30 overflows.
  EXPECT_THAT(Message(status), StartsWith("fit: the loss is inf at step 2 (epoch 1, step 2 of 4)"));
  EXPECT_THAT(Message(status), HasSubstr("the loss before was 1\n"));
  EXPECT_NEAR(t->Parameter("w")->data<float>()[0], -2e30, 1e25) << "not the state before step 2";
}

TEST(Divergence, CanBeLeftAlone) {
  auto options = QuietFit(1);
  options.stop_on_nan = false;
  const data::Dataset spoilt = Spoilt(std::numeric_limits<float>::infinity());
  const auto history = FreshSumsTrainer().Fit(spoilt, options);
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_FALSE(std::isfinite(history->epochs[0].training.loss));
}

}  // namespace
}  // namespace gradus
