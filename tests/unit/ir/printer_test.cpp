#include "ir/printer.h"

#include <cmath>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/leaf.h"
#include "ir/parser.h"

namespace gradus::ir {
namespace {

const Type kVector{DType::kF32, {3}};

TEST(PrinterTest, FloatsAreShortestAndLookLikeFloats) {
  EXPECT_EQ(PrintFloat(0.0), "0.0");
  EXPECT_EQ(PrintFloat(-0.0), "-0.0");
  EXPECT_EQ(PrintFloat(1), "1.0");
  EXPECT_EQ(PrintFloat(0.1), "0.1");
  EXPECT_EQ(PrintFloat(1e300), "1e+300");
  EXPECT_EQ(PrintFloat(5e-324), "5e-324");
  EXPECT_EQ(PrintFloat(-1.0 / 0.0), "-inf");
  EXPECT_EQ(PrintFloat(std::nan("")), "nan");
}

TEST(PrinterTest, LongSignaturesAndReturnsAreBroken) {
  Module module("m");
  Function& f = module.AddFunction("train_step");
  for (int i = 0; i < 12; ++i) {
    f.AddArgument("layer_" + std::to_string(i) + ".kernel", {DType::kF32, {784, 128}});
  }
  for (int i = 0; i < 12; ++i) f.AddResult(f.arg(i), f.arg(i).node()->name(), i);
  const std::string text = Print(module);
  size_t start = 0;
  for (size_t end; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
    EXPECT_LE(end - start, 104u) << text.substr(start, end - start);
  }
  const auto back = Parse(text, "m.ir");
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(Print(**back), text);
}

TEST(PrinterTest, DefaultsAreLeftOut) {
  Module module("m");
  Function& f = module.AddFunction("f");
  constant(f, kVector, 0);
  constant(f, kVector, 2);
  const std::string text = Print(f, {.locations = false});
  EXPECT_THAT(text, testing::HasSubstr("%0 = constant {dtype = f32, shape = [3]} : f32[3]"));
  EXPECT_THAT(text, testing::HasSubstr("value = 2.0"));
}

TEST(PrinterTest, LocationsComeFromTheCallersLine) {
  Module module("m");
  Function& f = module.AddFunction("f");
  f.AddResult(tanh(f.AddArgument("x", kVector)));
  EXPECT_THAT(Print(f), testing::HasSubstr("loc(\"printer_test.cpp\":"));
  EXPECT_THAT(Print(f, {.locations = false}), testing::Not(testing::HasSubstr("loc(")));
}

// A dump is wanted most when something is wrong.
TEST(PrinterTest, BrokenFunctionsStillPrint) {
  Module module("m");
  Function& f = module.AddFunction("f");
  Function& g = module.AddFunction("g");
  const Value x = f.AddArgument("x", kVector);
  const Value y = g.AddArgument("y", kVector);
  const Value h = tanh(x);
  h.node()->set_operand(0, y);
  f.AddResult(Value());
  const std::string text = Print(f);
  EXPECT_THAT(text, testing::HasSubstr("%0 = tanh %<foreign>"));
  EXPECT_THAT(text, testing::HasSubstr("return %<no value>"));
}

TEST(PrinterTest, OneNode) {
  Module module("m");
  Function& f = module.AddFunction("f");
  const Value x = f.AddArgument("x", kVector);
  const Value h = tanh(x);
  EXPECT_EQ(Print(*add(h, x).node()), "%1 = add %0, %x : f32[3]");
}

}  // namespace
}  // namespace gradus::ir
