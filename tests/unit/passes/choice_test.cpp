// Schedules that are chosen from outside: their text, and which can be followed.

#include "passes/scheduling/choice.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/parser.h"
#include "passes/pipelines.h"
#include "passes/scheduling/candidates.h"
#include "passes/scheduling/kernel_scheduler.h"

namespace gradus::passes::scheduling {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

ir::Target Wide() {
  ir::Target t;
  t.vector_bytes = 64;
  t.vector_registers = 32;
  t.has_fma = true;
  return t;
}

TEST(ChoiceTest, TextReadsBack) {
  for (const char* text : {"", "tile=12x2", "order=rows", "order=columns", "unroll=4",
                           "block=0 panels=no", "block=512 panels=yes", "b=swapped",
                           "tile=1x8 order=rows unroll=1 block=7 panels=no b=transposed",
                           "; tile=2x2", "tile=2x2; ; order=rows"}) {
    const auto choices = ParseChoices(text);
    ASSERT_TRUE(choices.ok()) << choices.status();
    EXPECT_EQ(ToString(*choices), text);
  }
}

TEST(ChoiceTest, RefusesWhatSaysNothing) {
  for (const char* text :
       {"tile", "tile=", "tile=6", "tile=0x4", "tile=33x1", "tile=1x9", "tile=6x4x2", "tile=-1x4",
        "order=up", "unroll=0", "unroll=9", "block=-1", "block=99999999999999999999",
        "panels=maybe", "b=", "why=so", "x=1", "=", "tile=6x4 \n"}) {
    EXPECT_THAT(ParseChoice(text).status().message(), HasSubstr("says nothing of a schedule"))
        << text;
  }
}

TEST(ChoiceTest, ChangesOnlyWhatIsSaid) {
  const Choice base = ParseChoice("tile=6x4 order=rows").value();
  EXPECT_EQ(ToString(Changed(base, ParseChoice("tile=8x2 unroll=2").value())),
            "tile=8x2 order=rows unroll=2");
}

// A module of kernels, lowered.
std::unique_ptr<ir::Module> Lowered(const std::string& kernels) {
  auto module = ir::Parse("module @m\n" + kernels, "choice_test.ir").value();
  EXPECT_TRUE(RunPipeline(*module, "lower-to-loops", {}).ok());
  return module;
}

std::string Product(const char* x, const char* w, const char* attributes, const char* y) {
  return std::string("kernel @k(%x: ") + x + ", %w: " + w + ") -> (y: " + y +
         ") {\n  %0 = matmul %x, %w" + attributes + " : " + y + "\n  return %0\n}\n";
}

TEST(ChoiceTest, WhatCannotBeFollowedIsRefused) {
  const auto module = Lowered(Product("f32[5, 64]", "f32[64, 40]", "", "f32[5, 40]"));
  const auto status = [&](const char* text) {
    const auto choices = ParseChoices(text);
    return std::string(
        ScheduleKernel(*module->Find("k")->kernel, Wide(), false, *choices).status().message());
  };
  EXPECT_EQ(status("tile=5x3 order=rows unroll=8 block=64 panels=yes"), "");
  EXPECT_THAT(status("tile=6x3"), HasSubstr("there are 5 rows"));
  EXPECT_THAT(status("tile=5x4"), HasSubstr("there are 40 columns, 16 in a vector"));
  EXPECT_THAT(status("tile=32x2"), HasSubstr("32 vector registers"));
  EXPECT_THAT(status("block=65"), HasSubstr("the sum has 64 terms"));
  EXPECT_THAT(status("block=0 panels=yes"), HasSubstr("panels are copied block by block"));
  EXPECT_THAT(status("b=swapped"), HasSubstr("its B cannot be turned so"));
  EXPECT_THAT(status("; tile=1x1"), HasSubstr("there is no product number 2"));
}

TEST(ChoiceTest, PlansSayWhatWasTuned) {
  const auto module = Lowered(Product("f32[5, 64]", "f32[64, 40]", "", "f32[5, 40]"));
  Choice choice = ParseChoice("tile=5x2").value();
  choice.why = "8 % less time than 5x3";
  const auto plan =
      ScheduleKernel(*module->Find("k")->kernel, Wide(), false, std::span(&choice, 1));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(loop::Print(**plan),
              HasSubstr("tile 5x2 vectors balanced (tuned: 8 % less time than 5x3)"));
}

TEST(CandidatesTest, EachCanBeFollowedAndIsAnotherPlan) {
  ir::Target narrow = Wide();
  narrow.vector_bytes = 16;
  narrow.vector_registers = 16;
  ir::Target scalar;
  scalar.vector_bytes = 4;
  scalar.vector_registers = 0;
  for (const std::string& kernel :
       {Product("f32[32, 784]", "f32[784, 512]", "", "f32[32, 512]"),
        Product("f32[B, 784]", "f32[512, 784]", " {transpose_b = true}", "f32[B, 512]"),
        Product("f64[1, 300]", "f64[300, 40]", "", "f64[1, 40]"),
        Product("f32[7, 30]", "f32[30, 50]", "", "f32[7, 50]"),
        Product("f32[9, B, 64]", "f32[64, 33]", "", "f32[9, B, 33]")}) {
    const auto module = Lowered(kernel);
    const loop::Kernel& k = *module->Find("k")->kernel;
    for (const ir::Target& target : {Wide(), narrow, scalar}) {
      const std::vector<Choice> list = Candidates(k, target, false, {}, 0);
      EXPECT_FALSE(list.empty());
      EXPECT_LE(list.size(), kMostCandidates);
      std::set<std::string> plans;
      const auto plan = [&](std::span<const Choice> choices) {
        const auto made = ScheduleKernel(k, target, false, choices);
        ASSERT_TRUE(made.ok()) << made.status();
        for (const loop::Step& step : (*made)->steps) {
          const auto* c = std::get_if<loop::Contraction>(&step);
          if (c != nullptr) plans.insert(ToString(ChoiceOf(*c)));
        }
      };
      plan({});
      for (const Choice& c : list) plan(std::span(&c, 1));
      EXPECT_THAT(plans, SizeIs(list.size() + 1)) << kernel;
    }
  }
}

}  // namespace
}  // namespace gradus::passes::scheduling
