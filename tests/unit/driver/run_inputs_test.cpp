// What gradus-run does around the compiled code: inputs, symbols, comparisons.

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/function.h"
#include "runtime/npy.h"
#include "tools/driver/compare.h"
#include "tools/driver/inputs.h"

namespace gradus::tools {
namespace {

using runtime::Tensor;
using testing::ElementsAre;
using testing::HasSubstr;

const ir::Dim kB(ir::Symbol("B"));

class InputsTest : public testing::Test {
 protected:
  InputsTest() {
    f_.AddArgument("x", {ir::DType::kF32, {kB, 2}});
    f_.AddArgument("y", {ir::DType::kF64, {kB}});
    f_.AddArgument("n", {ir::DType::kI32, {}});
    f_.AddArgument("on", {ir::DType::kI1, {3}});
  }
  template <typename T>
  std::string Save(const std::string& name, std::vector<int64_t> shape,
                   const std::vector<T>& values) {
    const std::string path = testing::TempDir() + "/inputs_test_" + name + ".npy";
    const auto tensor = Tensor::FromVector(std::move(shape), values);
    EXPECT_TRUE(tensor.ok() && runtime::WriteNpy(path, *tensor).ok());
    return path;
  }
  std::string Fault(const InputOptions& options) {
    const auto inputs = MakeInputs(f_, options);
    EXPECT_FALSE(inputs.ok());
    return std::string(inputs.status().message());
  }
  ir::Function f_{"f"};
};

TEST_F(InputsTest, FilesFixSymbolsAndTheRestIsRandomBySeed) {
  const std::string x = Save<float>("x", {3, 2}, {1, 2, 3, 4, 5, 6});
  const auto a = MakeInputs(f_, {.inputs = {"@" + x}, .seed = 5});
  const auto b = MakeInputs(f_, {.inputs = {"@" + x}, .seed = 5});
  const auto c = MakeInputs(f_, {.inputs = {"@" + x}, .seed = 6});
  ASSERT_TRUE(a.ok() && b.ok() && c.ok()) << a.status().message();
  EXPECT_THAT((*a)[0].data<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT((*a)[1].shape(), ElementsAre(3));
  for (const double v : (*a)[1].data<double>()) {
    EXPECT_GE(v, -1);
    EXPECT_LT(v, 1);
  }
  const auto values = [](const Tensor& t) {
    const auto d = t.data<double>();
    return std::vector<double>(d.begin(), d.end());
  };
  EXPECT_EQ(values((*a)[1]), values((*b)[1]));
  EXPECT_NE(values((*a)[1]), values((*c)[1]));
}

TEST_F(InputsTest, NamesNumbersAndDims) {
  const auto inputs = MakeInputs(f_, {.inputs = {"n=7", "x=0.5", "-2", "on=1"}, .dims = {"B=2"}});
  ASSERT_TRUE(inputs.ok()) << inputs.status().message();
  EXPECT_THAT((*inputs)[0].data<float>(), ElementsAre(0.5f, 0.5f, 0.5f, 0.5f));
  EXPECT_THAT((*inputs)[1].data<double>(), ElementsAre(-2, -2));
  EXPECT_THAT((*inputs)[2].data<int32_t>(), ElementsAre(7));
  EXPECT_THAT((*inputs)[3].data<uint8_t>(), ElementsAre(1, 1, 1));
}

TEST_F(InputsTest, MistakesNameTheFileAndTheArgument) {
  const std::string x = Save<float>("good", {3, 2}, {1, 2, 3, 4, 5, 6});
  const std::string wide = Save<float>("wide", {1, 3}, {1, 2, 3});
  const std::string wrong = Save<double>("wrong", {3, 2}, {1, 2, 3, 4, 5, 6});
  const std::string y = Save<double>("y", {4}, {1, 2, 3, 4});
  EXPECT_THAT(Fault({}), HasSubstr("argument 'x' is f32[B, 2]: no input says how large B is"));
  EXPECT_THAT(Fault({.inputs = {"@/nowhere.npy"}}), HasSubstr("argument 'x': "));
  EXPECT_THAT(Fault({.inputs = {"@" + wide}}),
              HasSubstr(wide + ": argument 'x': expected f32[B, 2], got f32[1, 3]"));
  EXPECT_THAT(Fault({.inputs = {"@" + wrong}}),
              HasSubstr(wrong + ": argument 'x': expected f32[B, 2], got f64[3, 2]"));
  EXPECT_THAT(Fault({.inputs = {"@" + x, "@" + y}}),
              HasSubstr("argument 'y': B is 4, but " + x + ": argument 'x' made it 3"));
  EXPECT_THAT(Fault({.inputs = {"@" + x}, .dims = {"B=5"}}), HasSubstr("B is 3, but --dim=B=5"));
  EXPECT_THAT(Fault({.dims = {"T=5"}}), HasSubstr("no argument of @f has the symbol T"));
  EXPECT_THAT(Fault({.dims = {"B"}}), HasSubstr("expected SYMBOL=SIZE"));
  EXPECT_THAT(Fault({.dims = {"B=-1"}}), HasSubstr("expected SYMBOL=SIZE"));
  EXPECT_THAT(Fault({.dims = {"B=99999999999999999999"}}), HasSubstr("expected SYMBOL=SIZE"));
  EXPECT_FALSE(MakeInputs(f_, {.dims = {"B=4000000000000000000"}}).ok());
  EXPECT_THAT(Fault({.inputs = {"z=1"}}), HasSubstr("@f has no argument 'z'"));
  EXPECT_THAT(Fault({.inputs = {"n=1", "n=2"}}), HasSubstr("argument 'n' is given twice"));
  EXPECT_THAT(Fault({.inputs = {"1", "1", "1", "1", "1"}}), HasSubstr("takes 4 arguments only"));
  EXPECT_THAT(Fault({.inputs = {"n=1.5"}, .dims = {"B=1"}}), HasSubstr("argument 'n' of i32"));
  EXPECT_THAT(Fault({.inputs = {"on=2"}, .dims = {"B=1"}}), HasSubstr("argument 'on' of i1"));
  EXPECT_THAT(Fault({.inputs = {"x.npy"}, .dims = {"B=1"}}), HasSubstr("files are written @x.npy"));
}

template <typename T>
Tensor Make(const std::vector<T>& values) {
  return *Tensor::FromVector({static_cast<int64_t>(values.size())}, values);
}

TEST(CompareTest, WorstElement) {
  const auto line = Compare(Make<float>({1, 2, 3}), Make<float>({1, 2.00001f, 3}), {});
  ASSERT_TRUE(line.ok()) << line.status().message();
  EXPECT_THAT(*line, HasSubstr("3 elements, worst at [1]: got 2, want 2.00001"));
  EXPECT_EQ(*Compare(Make<float>({1, 2}), Make<float>({1, 2}), {}), "2 elements, all equal");
}

TEST(CompareTest, OutsideTheTolerance) {
  const auto line = Compare(Make<double>({1, 2, 3}), Make<double>({1, 2.5, 4}), {});
  EXPECT_THAT(std::string(line.status().message()),
              HasSubstr("2 of 3 elements differ, worst at [2]: got 3, want 4, difference 1"));
  EXPECT_TRUE(Compare(Make<double>({3}), Make<double>({4}), {.relative = 0.25}).ok());
  EXPECT_TRUE(Compare(Make<double>({3}), Make<double>({4}), {.absolute = 1}).ok());
  EXPECT_FALSE(Compare(Make<double>({3}), Make<double>({4}), {.relative = 0, .absolute = 0}).ok());
}

TEST(CompareTest, NanAndInfinity) {
  const double inf = HUGE_VAL, nan = std::nan("");
  EXPECT_TRUE(Compare(Make<double>({inf, -inf, nan}), Make<double>({inf, -inf, nan}), {}).ok());
  EXPECT_FALSE(Compare(Make<double>({inf}), Make<double>({-inf}), {}).ok());
  EXPECT_FALSE(Compare(Make<double>({nan}), Make<double>({1}), {.absolute = 1e9}).ok());
  EXPECT_FALSE(Compare(Make<double>({1}), Make<double>({nan}), {.absolute = 1e9}).ok());
  EXPECT_FALSE(Compare(Make<double>({1}), Make<double>({inf}), {.relative = 1}).ok());
  EXPECT_FALSE(Compare(Make<double>({inf}), Make<double>({1}), {.relative = 1}).ok());
}

TEST(CompareTest, IntegersAndTypes) {
  EXPECT_TRUE(Compare(Make<int64_t>({1, 2}), Make<int64_t>({1, 2}), {}).ok());
  EXPECT_FALSE(Compare(Make<int64_t>({1, 2}), Make<int64_t>({1, 3}), {.absolute = 5}).ok());
  EXPECT_THAT(std::string(Compare(Make<float>({1}), Make<double>({1}), {}).status().message()),
              HasSubstr("expected f64[1], got f32[1]"));
  EXPECT_THAT(std::string(Compare(Make<float>({1}), Make<float>({1, 2}), {}).status().message()),
              HasSubstr("expected f32[2], got f32[1]"));
}

TEST(CompareTest, Show) {
  EXPECT_EQ(Show(Make<float>({0.5, 1})), "f32[2] = [0.5, 1]");
  EXPECT_EQ(Show(Make<int32_t>({1, 2, 3}), 2), "i32[3] = [1, 2, ...]");
  EXPECT_EQ(Show(*Tensor::FromVector<double>({}, {0.25})), "f64[] = 0.25");
  EXPECT_EQ(Show(*Tensor::Create(runtime::DType::kF32, {0})), "f32[0] = []");
}

}  // namespace
}  // namespace gradus::tools
