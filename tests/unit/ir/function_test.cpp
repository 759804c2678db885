#include "ir/function.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/parser.h"
#include "ir/printer.h"
#include "ir/verifier.h"

namespace gradus::ir {
namespace {

constexpr const char* kText = R"(module @m

func @forward(%x: f32[B, T, 3], %b: f32[3]) -> (y: f32[T, B, 3]) {
  %0 = transpose %x {permutation = [1, 0, 2]} : f32[T, B, 3]
  %1 = broadcast %b {axes = [2], shape = [T, B, 3]} : f32[T, B, 3]
  %2 = add %0, %1 : f32[T, B, 3]
  return %2
}
)";

TEST(FunctionTest, SymbolsGiveWayToSizesInTypesAndAttributes) {
  auto module = Parse(kText, "m.ir");
  ASSERT_TRUE(module.ok()) << module.status();
  (*module)->Find("forward")->ReplaceSymbol(Symbol("B"), 5);
  ASSERT_TRUE(Verify(**module).ok()) << Verify(**module);
  std::string want = kText;
  for (size_t at = 0; (at = want.find("B,", at)) != std::string::npos; ++at) want[at] = '5';
  EXPECT_EQ(Print(**module), want);
}

}  // namespace
}  // namespace gradus::ir
