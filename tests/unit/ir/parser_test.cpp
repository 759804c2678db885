#include "ir/parser.h"

#include <cmath>
#include <ctime>
#include <limits>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/builder.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"
#include "ir/ops/structure.h"
#include "ir/printer.h"
#include "ir/verifier.h"

namespace gradus::ir {
namespace {

std::unique_ptr<Module> MustParse(std::string_view text) {
  auto module = Parse(text, "test.ir");
  EXPECT_TRUE(module.ok()) << module.status().message();
  return module.ok() ? *std::move(module) : std::make_unique<Module>("failed");
}

void ExpectSelfPrinting(std::string_view text) { EXPECT_EQ(Print(*MustParse(text)), text); }

TEST(ParserTest, PrintedFormReadsBackAsItself) {
  ExpectSelfPrinting(R"(module @dense

param %hidden.kernel: f32[784, 128] = glorot_uniform {fan_in = 784, fan_out = 128}
param %"odd name": f64[] = uniform {low = -0.5, high = 1e+300}
param %mean: f32[12] = zeros frozen

func @forward(%x: f32[B, 784], %hidden.kernel: f32[784, 128], %b: f32[128]) -> (y: f32[B, 128]) {
  %0 = matmul %x, %hidden.kernel : f32[B, 128]
  %1 = broadcast %b {axes = [1], shape = [B, 128]} : f32[B, 128]
  %2 = add %0, %1 : f32[B, 128]
  %3 = tanh %2 : f32[B, 128]                                    loc("mlp.cpp":12:7 in "hidden")
  return %3
}

func @step(%w: f32[3], %layer/w.1: f32[3]) -> (w: f32[3] in %w, f32[3], "a b": f32[3] in %layer/w.1) {
  %0 = call %w {callee = @"late one"} : f32[3]
  %1:2 = call %0, %layer/w.1 {callee = @pair} : f32[3], f32[3]
  return %1#1, %w, %1#0
}

kernel @"late one"(%"\"q\"\\\n\x01": f32[3]) -> (f32[3]) {
  return %"\"q\"\\\n\x01"
}

func @pair(%a: f32[3], %b: f32[3]) -> (f32[3], f32[3]) {
  return %a, %b
}

func @nothing() -> () {
  %0:0 = call {callee = @nothing_either} : ()
  return
}

func @nothing_either() -> () {
  return
}
)");
}

TEST(ParserTest, EveryFormOfLocation) {
  ExpectSelfPrinting(R"(module @m

func @f(%x: f32[]) -> () {
  %0 = tanh %x : f32[]                                          loc("a.cpp")
  %1 = tanh %x : f32[]                                          loc("a.cpp":3)
  %2 = tanh %x : f32[]                                          loc("a \"b\".cpp":3:4)
  %3 = tanh %x : f32[]                                          loc(in "hidden/dense")
  %4 = tanh %x : f32[]                                          loc("a.cpp":3:4 in "hidden")
  %5 = tanh %x : f32[]                                          loc("a.cpp":3:4 in "hidden" backward)
  %6 = tanh %x : f32[]                                          loc("a.cpp":3 backward)
  %7 = tanh %x : f32[]                                          loc(in "hidden" backward)
  %8 = tanh %x : f32[]                                          loc(backward)
  return
}
)");
}

TEST(ParserTest, BlanksCommentsNamesAndOrderAreFree) {
  const auto module = MustParse(R"(// first
module   @m func @f(  // an argument
    %x:f32[2]
  )->(f32[2]){%h=tanh%x:f32[2]// two
    %7 = add %h,%x:f32[2] return %7})");
  EXPECT_EQ(Print(*module),
            "module @m\n\nfunc @f(%x: f32[2]) -> (f32[2]) {\n  %0 = tanh %x : f32[2]\n"
            "  %1 = add %0, %x : f32[2]\n  return %1\n}\n");
}

TEST(ParserTest, NodesWithoutLocationPointAtTheText) {
  const auto module =
      MustParse("module @m\nfunc @f(%x: f32[2]) -> () {\n  %0 = tanh %x : f32[2]\n  return\n}");
  const Function& f = *module->Find("f");
  EXPECT_EQ(f.nodes()[0]->location().ToString(), "test.ir:3:3");
  EXPECT_EQ(f.arg(0).node()->location().ToString(), "test.ir:2:9");
  EXPECT_THAT(Print(f), testing::Not(testing::HasSubstr("loc(")));
  EXPECT_THAT(Print(f, {.text_locations = true}), testing::HasSubstr("loc(\"test.ir\":3:3)"));
}

TEST(ParserTest, NumbersAndQuotedNumbersAreApart) {
  ExpectSelfPrinting(R"(module @m

func @f(%"0": f32[2]) -> (f32[2], f32[2]) {
  %0 = tanh %"0" : f32[2]
  return %0, %"0"
}
)");
}

TEST(ParserTest, LoopsAndPlansAreSkipped) {
  const auto module = MustParse(R"(module @m
kernel @k(%x: f32[2]) -> (f32[2]) {
  return %x
}
loops @k(%x, out %o) {
  store %o[i] = %x[i]  for i in 0..2
}
plan @k {
  nest {
    %o[i] = %x[i]
  }
}
entry (B) workspace 4*B {
  %0: f32[2] argument 0
}
func @f() -> () {
  return
}
)");
  EXPECT_EQ(module->functions().size(), 2u);
}

TEST(ParserTest, NumbersAtTheirLimits) {
  const double floats[] = {0.0,
                           -0.0,
                           0.1,
                           1.0,
                           -1.5,
                           1e22,
                           123456789012345680.0,
                           std::numeric_limits<double>::max(),
                           std::numeric_limits<double>::min(),
                           std::numeric_limits<double>::denorm_min(),
                           -std::numeric_limits<double>::denorm_min(),
                           std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::quiet_NaN(),
                           std::nextafter(1.0, 2.0),
                           static_cast<double>(0.1f)};
  const int64_t integers[] = {0, -1, std::numeric_limits<int64_t>::min(),
                              std::numeric_limits<int64_t>::max()};
  Module module("numbers");
  Function& f = module.AddFunction("f");
  for (const double d : floats) constant(f, {DType::kF64, {}}, d);
  for (const int64_t i : integers) constant_int(f, {DType::kI64, {}}, i);
  const PrintOptions plain{.locations = false};
  const std::string text = Print(module, plain);
  const auto back = MustParse(text);
  EXPECT_EQ(Print(*back, plain), text);
  const Function& g = *back->Find("f");
  for (size_t i = 0; i < f.nodes().size(); ++i) {
    for (size_t a = 0; a < f.nodes()[i]->attrs().size(); ++a) {
      EXPECT_TRUE(Same(f.nodes()[i]->attrs()[a].value, g.nodes()[i]->attrs()[a].value))
          << Print(*f.nodes()[i]);
    }
  }
}

TEST(ParserTest, ChainOfTenThousandNodesInWellUnderASecond) {
  constexpr int kNodes = 10000;
  Module module("chain");
  Function& f = module.AddFunction("f");
  Value x = f.AddArgument("x", {DType::kF32, {Dim(Symbol("B")), 64}});
  for (int i = 0; i < kNodes; ++i) x = i % 2 == 0 ? tanh(x) : add(x, x);
  f.AddResult(x, "y");

  const std::clock_t start = std::clock();
  const std::string text = Print(module);
  const auto back = MustParse(text);
  EXPECT_TRUE(Verify(*back).ok());
  const std::string again = Print(*back);
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_EQ(again, text);
  EXPECT_EQ(back->Find("f")->nodes().size(), static_cast<size_t>(kNodes));
  // Some 20 ms of the processor, whatever else it does; the bound leaves room for sanitizers.
  EXPECT_LT(seconds, 1.0);
  RecordProperty("milliseconds", static_cast<int>(seconds * 1000));
}

TEST(ParserTest, ManyFunctionsThatCallEachOtherInAChain) {
  constexpr int kFunctions = 3000;
  std::string text = "module @m\n";
  for (int i = 0; i < kFunctions; ++i) {
    text += fmt::format("func @f{}(%x: f32[2]) -> (f32[2]) {{\n", i);
    if (i + 1 < kFunctions) {
      text += fmt::format("  %0 = call %x {{callee = @f{}}} : f32[2]\n  return %0\n}}\n", i + 1);
    } else {
      text += "  return %x\n}\n";
    }
  }
  EXPECT_EQ(MustParse(text)->functions().size(), static_cast<size_t>(kFunctions));
}

}  // namespace
}  // namespace gradus::ir
