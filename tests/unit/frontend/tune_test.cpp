// Tuning: what is measured and remembered, and that it changes no result. Timers are made up.

#include "frontend/tune.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "frontend/compile.h"
#include "frontend/convolution_layers.h"
#include "frontend/layers.h"
#include "frontend/trainer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/parser.h"
#include "passes/pipelines.h"
#include "passes/scheduling/candidates.h"

namespace gradus {
namespace {

using passes::scheduling::Choice;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

namespace fs = std::filesystem;

constexpr std::string_view kProduct =
    "module @m\n"
    "func @f(%x: f32[B, 100], %w: f32[72, 100], %b: f32[72]) -> (y: f32[B, 72]) {\n"
    "  %0 = matmul %x, %w {transpose_b = true} : f32[B, 72]\n"
    "  %1 = broadcast %b {shape = [B, 72], axes = [1]} : f32[B, 72]\n"
    "  %2 = add %0, %1 : f32[B, 72]\n  %3 = tanh %2 : f32[B, 72]\n  return %3\n}\n";

// Few sizes of tiles: quick to compile.
constexpr std::string_view kSmall =
    "module @m\n"
    "func @f(%x: f32[6, 40], %w: f32[40, 72]) -> (y: f32[6, 72]) {\n"
    "  %0 = matmul %x, %w : f32[6, 72]\n  return %0\n}\n";

// A folder for the cache, gone with the test.
class TuneTest : public testing::Test {
 protected:
  void SetUp() override { fs::remove_all(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  std::vector<fs::path> Files(std::string_view ending) const {
    std::vector<fs::path> files;
    for (const auto& file : fs::directory_iterator(folder_)) {
      if (file.path().extension() == ending) files.push_back(file.path());
    }
    return files;
  }
  // With a timer to which one schedule is the fastest. Counts samples.
  CompileOptions Preferring(std::string best) {
    CompileOptions options;
    options.cache_dir = folder_;
    options.tune = true;
    options.tuning.timer = [this, best = std::move(best)](
                               std::span<const Choice> choices,
                               const std::function<absl::Status()>&) -> absl::StatusOr<double> {
      ++samples_;
      return !choices.empty() && ToString(choices[0]) == best ? 1.0 : 2.0;
    };
    return options;
  }
  CompileReport Compile(const CompileOptions& options, std::string_view text = kSmall) {
    CompileReport report;
    const auto entries = CompileModule(*ir::Parse(text, "tune_test.ir").value(), options, &report);
    EXPECT_TRUE(entries.ok()) << entries.status();
    return report;
  }

  const std::string folder_ = testing::TempDir() + "/tune_test_" +
                              testing::UnitTest::GetInstance()->current_test_info()->name();
  int samples_ = 0;
};

std::string ChoicesOf(const Tuning& tuning) {
  std::string text;
  for (const auto& [name, choices] : tuning.choices) text += passes::scheduling::ToString(choices);
  return text;
}

TEST_F(TuneTest, TakesTheFastestAndRemembersIt) {
  const Tuning first = Compile(Preferring("order=rows")).tuning;
  EXPECT_EQ(ChoicesOf(first), "order=rows");
  EXPECT_THAT(ToString(first), HasSubstr("(50 % less time than "));
  EXPECT_EQ(first.measured, 1);
  EXPECT_GT(samples_, 0);
  EXPECT_THAT(Files(".note"), SizeIs(1));
  samples_ = 0;
  const CompileReport second = Compile(Preferring("unroll=4"));
  EXPECT_EQ(ChoicesOf(second.tuning), "order=rows");
  EXPECT_EQ(second.tuning.remembered, 1);
  EXPECT_TRUE(second.from_cache);
  EXPECT_EQ(samples_, 0);
}

TEST_F(TuneTest, RemembersThatTheTablesAreBest) {
  EXPECT_THAT(Compile(Preferring("none")).tuning.choices, IsEmpty());
  samples_ = 0;
  EXPECT_EQ(Compile(Preferring("order=rows")).tuning.remembered, 1);
  EXPECT_EQ(samples_, 0);
}

TEST_F(TuneTest, TunedAndUntunedObjectsStandSideBySide) {
  CompileOptions plain = Preferring("order=rows");
  plain.tune = false;
  Compile(plain);
  EXPECT_FALSE(Compile(Preferring("order=rows")).from_cache);
  EXPECT_THAT(Files(".o"), SizeIs(2));
  EXPECT_TRUE(Compile(plain).from_cache);
  EXPECT_TRUE(Compile(Preferring("order=rows")).from_cache);
}

// Names are no part of what is remembered.
TEST_F(TuneTest, ProgramsShareWhatWasFound) {
  Compile(Preferring("order=rows"));
  std::string renamed(kSmall);
  for (const auto& [from, to] : {std::pair("@f(", "@other("), {"%x", "%left"}, {"%w", "%right"}}) {
    for (size_t at = 0; (at = renamed.find(from, at)) != std::string::npos; at += 3) {
      renamed.replace(at, std::strlen(from), to);
    }
  }
  EXPECT_EQ(Compile(Preferring("none"), renamed).tuning.remembered, 1);
}

TEST_F(TuneTest, SizesAreMeasuredEachByItself) {
  CompileOptions options = Preferring("none");
  options.sizes["B"] = 7;
  EXPECT_EQ(Compile(options, kProduct).tuning.measured, 1);
  options.tuning.seconds = 0;
  EXPECT_EQ(Compile(options, kProduct).tuning.remembered, 1);
  options.sizes["B"] = 8;
  EXPECT_EQ(Compile(options, kProduct).tuning.left, 1);
}

TEST_F(TuneTest, DamagedNotesAreMeasuredAgain) {
  Compile(Preferring("order=rows"));
  const fs::path note = Files(".note").at(0);
  const auto size = fs::file_size(note);
  for (const uintmax_t keep : {size - 1, size / 2, uintmax_t{0}}) {
    fs::resize_file(note, keep);
    samples_ = 0;
    EXPECT_EQ(ChoicesOf(Compile(Preferring("order=rows")).tuning), "order=rows");
    EXPECT_GT(samples_, 0);
    EXPECT_EQ(fs::file_size(note), size);
  }
  std::fstream(note, std::ios::in | std::ios::out | std::ios::binary).seekp(-3, std::ios::end)
      << '~';
  EXPECT_EQ(Compile(Preferring("order=rows")).tuning.measured, 1);
}

TEST_F(TuneTest, WorksWithoutACache) {
  CompileOptions options = Preferring("order=rows");
  options.cache_dir.clear();
  EXPECT_EQ(ChoicesOf(Compile(options).tuning), "order=rows");
  EXPECT_EQ(Compile(options).tuning.measured, 1);
}

TEST_F(TuneTest, WhatTimeDoesNotReachIsLeftForTheNextTime) {
  CompileOptions options = Preferring("order=rows");
  options.tuning.seconds = 0;
  EXPECT_EQ(Compile(options).tuning.left, 1);
  EXPECT_EQ(samples_, 0);
  EXPECT_EQ(Compile(Preferring("order=rows")).tuning.measured, 1);
}

TEST_F(TuneTest, PipelinesWithoutSchedulesHaveNothingToTune) {
  CompileOptions options = Preferring("order=rows");
  options.pipeline = "none";
  EXPECT_EQ(Compile(options).tuning.measured, 0);
}

TEST_F(TuneTest, SmallProductsAreNotWorthWhile) {
  const Tuning t =
      Compile(Preferring("none"),
              "module @m\nfunc @f(%x: f32[256, 256], %a: f32[4, 24], %b: f32[24, 32]) -> "
              "(y: f32[256, 256], z: f32[4, 32]) {\n"
              "  %0 = matmul %x, %x : f32[256, 256]\n"
              "  %1 = matmul %a, %b : f32[4, 32]\n  return %0, %1\n}\n")
          .tuning;
  EXPECT_EQ(t.measured, 1);
}

// With the machine's own clock: whatever wins, it is found in some order and it ends.
TEST_F(TuneTest, MeasuresATrainingStep) {
  Model m("tuned");
  const Tensor x = m.Input("x", {kBatch, 32});
  Tensor h = m.Add<Dense>("hidden", 48, relu)(x);
  m.Output("p", m.Add<Dense>("out", 24, softmax)(h));
  CompileOptions options;
  options.cache_dir = folder_;
  options.tune = true;
  const auto trainer = gradus::Compile(
      m, {.optimizer = Adam{}, .loss = categorical_crossentropy, .metrics = {}}, options);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  EXPECT_FALSE(Files(".note").empty());
}

// Every schedule that tuning could choose computes the same bits, on every level that runs here.
class TunedBits : public testing::TestWithParam<std::string_view> {};

std::vector<runtime::Tensor> Inputs(const ir::Function& f) {
  std::vector<runtime::Tensor> inputs;
  uint32_t state = 1;
  for (int i = 0; i < f.num_args(); ++i) {
    std::vector<int64_t> shape;
    for (const ir::Dim& d : f.arg(i).shape()) shape.push_back(d.is_symbol() ? 37 : d.size());
    inputs.push_back(runtime::Tensor::Create(runtime::DType::kF32, std::move(shape)).value());
    for (float& v : inputs.back().data<float>()) {
      state = state * 1664525 + 1013904223;
      v = static_cast<float>(static_cast<int32_t>(state)) * 0x1p-31F;
    }
  }
  return inputs;
}

std::vector<std::string> Results(const ir::Module& graph, const passes::PassContext& context) {
  const std::unique_ptr<ir::Module> module = graph.Clone();
  const absl::Status lowered = passes::RunPipeline(*module, "default", context);
  EXPECT_TRUE(lowered.ok()) << lowered;
  codegen::CodegenOptions options;
  options.target = context.target;
  const auto entries = codegen::CompileAndLoad(*module, options);
  EXPECT_TRUE(entries.ok()) << entries.status();
  auto results = entries->front().executable.Run(Inputs(*graph.functions().front()));
  EXPECT_TRUE(results.ok()) << results.status();
  std::vector<std::string> bytes;
  for (const runtime::Tensor& t : *results) {
    bytes.emplace_back(static_cast<const char*>(t.raw()), static_cast<size_t>(t.byte_size()));
  }
  return bytes;
}

TEST_P(TunedBits, ForEveryCandidate) {
  const ir::Target target = codegen::NamedTarget(GetParam()).value();
  if (!codegen::CheckRunsHere(target).ok())
    GTEST_SKIP() << "this machine cannot run " << GetParam();
  for (const std::string_view text :
       {kProduct,
        std::string_view(
            "module @m\nfunc @f(%x: f32[B, 9, 8], %w: f32[3, 8, 40]) -> (y: f32[B, 9, 40]) {\n"
            "  %0 = convolution %x, %w {axes = \"b0c,0cd->b0d\", sizes = [9], strides = [1], "
            "low = [1], kernel_dilation = [1], input_dilation = [1]} : f32[B, 9, 40]\n"
            "  return %0\n}\n"),
        std::string_view(
            "module @m\nfunc @f(%x: f32[B, 70], %g: f32[B, 45]) -> (y: f32[70, 45]) {\n"
            "  %0 = matmul %x, %g {transpose_a = true} : f32[70, 45]\n  return %0\n}\n")}) {
    const auto graph = ir::Parse(text, "tune_test.ir").value();
    passes::PassContext context{.target = target};
    const std::vector<std::string> expected = Results(*graph, context);
    const auto lowered = graph->Clone();
    ASSERT_TRUE(passes::RunPipeline(*lowered, "graph,form-kernels,lower-to-loops", context).ok());
    int tried = 0;
    for (const auto& f : lowered->functions()) {
      if (f->kernel == nullptr) continue;
      for (const Choice& c : passes::scheduling::Candidates(*f->kernel, target, false, {}, 0)) {
        context.choices = {{f->name(), {c}}};
        EXPECT_EQ(Results(*graph, context), expected) << GetParam() << " " << ToString(c) << "\n"
                                                      << text;
        ++tried;
      }
    }
    EXPECT_GT(tried, 5);
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, TunedBits,
                         testing::Values("x86-64", "x86-64-v3", "x86-64-v4", "scalar"),
                         [](const auto& level) {
                           std::string name(level.param);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace gradus
