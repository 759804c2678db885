#include "frontend/training/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "runtime/safetensors.h"
#include "tests/unit/frontend/training_fixture.h"

namespace gradus {
namespace {

using ::gradus::testing::FreshSumsTrainer;
using ::gradus::testing::QuietFit;
using ::gradus::testing::StateBits;
using ::gradus::testing::SumsData;
using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

class CheckpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/gradus_checkpoint_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name = "c.safetensors") const { return folder_ + "/" + name; }
  // With one of every kind of callback that remembers something.
  FitOptions Options(int64_t epochs, CheckpointOptions checkpoint) {
    FitOptions options = QuietFit(epochs);
    options.validation = &validation_;
    options.callbacks = {ReduceLROnPlateau({.factor = 0.5, .patience = 1, .min_delta = 0.02}),
                         EarlyStopping({.patience = 4, .min_delta = 0.01}),
                         Checkpoint(Path(), std::move(checkpoint))};
    return options;
  }
  // What must be the same: everything but the clock.
  static std::vector<double> Numbers(const History& h) {
    std::vector<double> all(h.steps.loss);
    all.insert(all.end(), h.steps.learning_rate.begin(), h.steps.learning_rate.end());
    all.insert(all.end(), h.steps.step.begin(), h.steps.step.end());
    for (const EpochRecord& e : h.epochs) {
      all.insert(all.end(), {e.training.loss, e.learning_rate, static_cast<double>(e.steps),
                             e.validation->loss});
      all.insert(all.end(), e.training.metrics.begin(), e.training.metrics.end());
      all.insert(all.end(), e.validation->metrics.begin(), e.validation->metrics.end());
    }
    return all;
  }

  std::string folder_;
  const data::Dataset train_ = SumsData(70, 3), validation_ = SumsData(40, 4);
};

// Five batches an epoch. A training that is stopped after `stop` steps and resumed by another
// trainer ends in the bits of one that was never stopped.
class ResumeTest : public CheckpointTest, public ::testing::WithParamInterface<int64_t> {};

TEST_P(ResumeTest, EndsInTheSameBits) {
  const int64_t stop = GetParam();
  const CheckpointOptions every_step{.every_epochs = 1, .every_steps = 1};
  auto options = Options(9, every_step);
  Trainer& t = FreshSumsTrainer();
  const auto whole = t.Fit(train_, options);
  ASSERT_TRUE(whole.ok()) << whole.status();
  const std::string reference = StateBits(t);

  auto first = Options(9, every_step);
  struct StopAfter : Callback {
    explicit StopAfter(int64_t after) : steps(after) {}
    std::string_view name() const override { return "stop_after"; }
    absl::Status OnBatchEnd(const BatchLog& b, TrainingControl& control) override {
      if (b.step == steps) control.Stop("for the test");
      return absl::OkStatus();
    }
    int64_t steps;
  };
  first.callbacks.emplace_back(StopAfter(stop));
  Trainer& stopped = FreshSumsTrainer();
  const auto part = stopped.Fit(train_, first);
  ASSERT_TRUE(part.ok()) << part.status();
  ASSERT_EQ(part->stopped, "for the test");

  Trainer& other = FreshSumsTrainer(/*seed=*/5);
  other.SetLearningRate(123);
  auto second = Options(9, every_step);
  second.resume_from = Path();
  const auto rest = other.Fit(train_, second);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(StateBits(other), reference);
  EXPECT_EQ(Numbers(*rest), Numbers(*whole));
  EXPECT_EQ(rest->stopped, whole->stopped);
}

INSTANTIATE_TEST_SUITE_P(AfterAnEpochAndWithin, ResumeTest, ::testing::Values(1, 4, 5, 7, 15, 23));

// What the step itself remembers between updates is part of it, too.
TEST_F(CheckpointTest, AccumulatedGradientsAveragesAndSchedulesGoOn) {
  Model m("more");
  Tensor h = m.Add<Dense>("hidden", 8, relu)(m.Input("x", {kBatch, 3}));
  h = m.Add<Dropout>("dropout", 0.25)(h);
  m.Output("p", m.Add<Dense>("out", 1, sigmoid)(h));
  auto trainer = Compile(m,
                         {.optimizer = Adam({.learning_rate = 0.02}),
                          .loss = binary_crossentropy,
                          .schedule = CosineDecay(30),
                          .accumulate_batches = 3,
                          .average_decay = 0.9,
                          .record_norms = true},
                         {.cache_dir = ""});
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  const auto fit = [&](uint64_t seed, int64_t epochs, bool resume) {
    EXPECT_TRUE(trainer->Reset(seed).ok());
    auto options = QuietFit(epochs);
    options.callbacks = {Checkpoint(Path())};
    if (resume) options.resume_from = Path();
    auto history = trainer->Fit(train_, options);
    EXPECT_TRUE(history.ok()) << history.status();
    return std::pair(StateBits(*trainer), history->steps.norms[0].gradient);
  };
  const auto whole = fit(0, 8, false);
  fit(0, 4, false);  // 20 steps: two of three batches wait for the third
  const auto resumed = fit(5, 8, true);
  EXPECT_EQ(resumed.first, whole.first);
  EXPECT_EQ(resumed.second, whole.second);
}

TEST_F(CheckpointTest, AFinishedTrainingResumesToItsEnd) {
  auto options = Options(30, {});
  Trainer& t = FreshSumsTrainer();
  const auto whole = t.Fit(train_, options);
  ASSERT_TRUE(whole.ok()) << whole.status();
  ASSERT_THAT(whole->stopped, HasSubstr("early stopping: val_loss did not improve on"));
  const std::string bits = StateBits(t);
  auto again = Options(30, {});
  again.resume_from = Path();
  const auto rest = FreshSumsTrainer(1).Fit(train_, again);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(rest->epochs.size(), whole->epochs.size());
  EXPECT_EQ(rest->stopped, whole->stopped);
  EXPECT_EQ(StateBits(t), bits);
}

TEST_F(CheckpointTest, HoldsWeightsUnderTheirNames) {
  auto options = QuietFit(1);
  options.callbacks = {Checkpoint(Path())};
  Trainer& t = FreshSumsTrainer();
  ASSERT_TRUE(t.Fit(train_, options).ok());
  const auto kernel = t.Parameter("hidden.kernel")->Clone().value();
  const auto file = runtime::Safetensors::Read(Path());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metadata().at("format"), "gradus-checkpoint");
  EXPECT_TRUE(std::ranges::equal(file->Load("hidden.kernel")->data<float>(), kernel.data<float>()));
  EXPECT_NE(file->Find("gradus/optimizer/hidden.kernel/m"), nullptr);
  ASSERT_TRUE(t.Reset(3).ok());
  ASSERT_TRUE(t.LoadWeights(Path()).ok());
  EXPECT_TRUE(
      std::ranges::equal(t.Parameter("hidden.kernel")->data<float>(), kernel.data<float>()));
}

TEST_F(CheckpointTest, BestOnlyKeepsTheBest) {
  auto options = QuietFit(12);
  options.validation = &validation_;
  options.callbacks = {Checkpoint(Path(), {.best_only = true})};
  const auto history = FreshSumsTrainer().Fit(train_, options);
  ASSERT_TRUE(history.ok()) << history.status();
  const auto best = std::ranges::min_element(
      history->epochs, {}, [](const EpochRecord& e) { return e.validation->loss; });
  Trainer& t = FreshSumsTrainer(1);
  ASSERT_TRUE(t.LoadWeights(Path()).ok());
  EXPECT_EQ(t.Evaluate(validation_)->loss, best->validation->loss);
}

TEST_F(CheckpointTest, RefusesWhatDoesNotFit) {
  auto options = Options(2, {});
  ASSERT_TRUE(FreshSumsTrainer().Fit(train_, options).ok());
  Trainer& t = FreshSumsTrainer();
  const std::string before = StateBits(t);
  const auto refusal = [&](FitOptions o, const data::Dataset& data) {
    o.resume_from = Path();
    const auto h = t.Fit(data, o);
    EXPECT_FALSE(h.ok());
    EXPECT_EQ(StateBits(t), before) << "the trainer was changed";
    return Message(h.status());
  };
  auto other = Options(4, {});
  other.batch_size = 8;
  EXPECT_THAT(refusal(other, train_), HasSubstr("made with batch_size 16, resumed with 8"));
  other = Options(4, {});
  other.seed = 8;
  EXPECT_THAT(refusal(other, train_), HasSubstr("made with seed 7, resumed with 8"));
  EXPECT_THAT(refusal(Options(4, {}), validation_), HasSubstr("samples 70, resumed with 40"));
  other = Options(4, {});
  other.callbacks.erase(other.callbacks.begin());
  EXPECT_THAT(refusal(other, train_), HasSubstr("but there is no such callback"));
  ASSERT_TRUE(t.SaveWeights(Path()).ok());
  EXPECT_THAT(refusal(Options(4, {}), train_), HasSubstr("not a checkpoint: its format is "
                                                         "\"gradus-weights\""));
  std::filesystem::remove(Path());
  EXPECT_THAT(refusal(Options(4, {}), train_), HasSubstr("No such file"));
  auto missing = Options(1, {});
  missing.resume_from = Path();
  missing.resume_if_there = true;
  EXPECT_TRUE(t.Fit(train_, missing).ok());
}

TEST_F(CheckpointTest, WeightsGoThroughSafetensorsAndNpy) {
  Trainer& t = FreshSumsTrainer(11);
  const auto bits = [&] {
    std::string all;
    for (const std::string& name : t.ParameterNames()) {
      const auto v = t.Parameter(name)->data<float>();
      all.append(reinterpret_cast<const char*>(v.data()), v.size_bytes());
    }
    return all;
  };
  const std::string expected = bits();
  ASSERT_TRUE(t.SaveWeights(Path()).ok());
  ASSERT_TRUE(t.SaveWeightsNpy(folder_).ok());
  ASSERT_TRUE(std::filesystem::exists(Path("hidden.kernel.npy")));
  ASSERT_TRUE(t.Reset(12).ok());
  ASSERT_NE(bits(), expected);
  ASSERT_TRUE(t.LoadWeights(Path()).ok());
  EXPECT_EQ(bits(), expected);
  ASSERT_TRUE(t.Reset(13).ok());
  ASSERT_TRUE(t.LoadWeightsNpy(folder_).ok());
  EXPECT_EQ(bits(), expected);
}

TEST_F(CheckpointTest, WeightsThatDoNotFitAreNamed) {
  Trainer& t = FreshSumsTrainer();
  const std::string before = StateBits(t);
  const auto kernel = runtime::Tensor::Zeros(runtime::DType::kF32, {8, 3}).value();
  const auto bias = runtime::Tensor::Zeros(runtime::DType::kF64, {8}).value();
  const std::vector<runtime::NamedTensorView> wrong = {
      {"hidden.kernel", kernel}, {"hidden.bias", bias}, {"hiden.bias", bias}};
  ASSERT_TRUE(runtime::WriteSafetensors(Path(), wrong).ok());
  const std::string message = Message(t.LoadWeights(Path()));
  EXPECT_THAT(message, HasSubstr("does not fit model sums"));
  EXPECT_THAT(message, HasSubstr("hidden.kernel: expected f32[3, 8], got f32[8, 3]"));
  EXPECT_THAT(message, HasSubstr("hidden.bias: expected f32[8], got f64[8]"));
  EXPECT_THAT(message, HasSubstr("missing: out.kernel f32[8, 1]"));
  EXPECT_THAT(message, HasSubstr("extra: hiden.bias"));
  EXPECT_EQ(StateBits(t), before);
  const auto good = runtime::Tensor::FromVector<float>({1}, {4}).value();
  const std::vector<runtime::NamedTensorView> part = {{"out.bias", good}, {"more", good}};
  ASSERT_TRUE(runtime::WriteSafetensors(Path(), part).ok());
  EXPECT_FALSE(t.LoadWeights(Path()).ok());
  ASSERT_TRUE(t.LoadWeights(Path(), {.allow_missing = true, .allow_extra = true}).ok());
  EXPECT_EQ(t.Parameter("out.bias")->data<float>()[0], 4);
}

}  // namespace
}  // namespace gradus
