// Mistakes in models and graphs of tensors. Every message says what, where in the user's file,
// expected and got, and a next step.

#include "tests/e2e/wrong_programs.h"

// A mistake and the note of its line stand on one line.
// clang-format off

namespace gradus {
namespace {

constexpr std::string_view kFile = "wrong_models_test.cpp";

// "theft.cpp:12:7:" -> "theft.cpp:12:", "theft.cpp:12:7)" -> "theft.cpp:12:)".
std::string WithoutColumns(absl::string_view message) {
  std::string text;
  for (size_t i = 0; i < message.size(); ++i) {
    text += message[i];
    if (message[i] != ':' || i == 0 || std::isdigit(message[i - 1]) == 0) continue;
    size_t end = i + 1;
    while (end < message.size() && std::isdigit(message[end]) != 0) ++end;
    if (end == i + 1) continue;
    if (end < message.size() && message[end] == ':') ++end;
    i = end - 1;
  }
  return text;
}

TEST(WrongModel, ShapesThatDoNotLineUp) {
  Model m("theft");
  const Tensor x = m.Input("x", {kBatch, 12});
  const Tensor last = m.Add<Dense>("last", 32)(x);
  const Tensor each = m.Add<Dense>("each", 32)(m.Input("sequence", {kBatch, 48, 7}));
  m.Output("y", add(last, each));
  const std::string call = GRADUS_LINE_ABOVE, left = At(kFile, __LINE__ - 3), right = At(kFile, __LINE__ - 2);
  // Columns are the compiler's own, so that they are left out here.
  EXPECT_EQ(WithoutColumns(CompileError(m).message()),
            call + " error: add: [B, 32] and [B, 48, 32] do not line up (2 axes, 3 axes)\n"
                   "  left:  last  (" + left + ") -> f32[B, 32]\n"
                   "  right: each  (" + right + ") -> f32[B, 48, 32]\n"
                   "  help: shapes line up from the right, where sizes are equal or one of them is 1");
}

TEST(WrongModel, ProductsOfMatricesThatDoNotFit) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 12});
  const Tensor w = m.Parameter("w", {13, 4}, Zeros());
  m.Output("y", matmul(x, w));
  ExpectParts(CompileError(m), {GRADUS_LINE_ABOVE, "error: matmul: ", "12", "13", "left:  x", "f32[B, 12]",
                                "right: w", "f32[13, 4]"});
}

TEST(WrongModel, DifferentElementTypes) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 3});
  const Tensor n = m.Input("n", {kBatch, 3}, DType::kI64);
  m.Output("y", x * n);
  ExpectParts(CompileError(m), {GRADUS_LINE_ABOVE, "error: mul: f32 and i64 are different element types", "left:  x",
                                "right: n", "help: cast one of them"});
}

TEST(WrongModel, AFunctionOfNumbersOnIntegers) {
  Model m("m");
  const Tensor n = m.Input("n", {kBatch, 3}, DType::kI64);
  m.Output("y", sigmoid(n));
  ExpectParts(CompileError(m), {GRADUS_LINE_ABOVE, "error: sigmoid: takes f32 or f64, got i64", "n  (", "i64[B, 3]",
                                "help: cast it to a float first"});
}

TEST(WrongModel, NoOutput) {
  Model m("theft");
  m.Add<Dense>("d", 3)(m.Input("x", {kBatch, 3}));
  ExpectParts(CompileError(m), {"error: theft has no output", "help: call Output(name, tensor) before Compile"});
}

TEST(WrongModel, NoInput) {
  Model m("theft");
  m.Output("y", m.Parameter("w", {3}, Zeros()) * 2);
  ExpectParts(CompileError(m), {"error: model theft has no input", "help: call Input(name, shape)"});
}

TEST(WrongModel, AnOutputThatIsNoTensor) {
  Model m("m");
  m.Input("x", {kBatch, 3});
  m.Output("y", Tensor());
  ExpectParts(CompileError(m), {GRADUS_LINE_ABOVE, "error: output y is no tensor", "help: give it the result of"});
}

TEST(WrongModel, TwoLayersOfOneName) {
  Model m("m");
  Tensor x = m.Input("x", {kBatch, 3});
  x = m.Add<Dense>("hidden", 3)(x);
  m.Output("y", m.Add<Dense>("hidden", 3)(x));
  ExpectParts(CompileError(m), {"error: layer name \"hidden\" is there already", "help: give every layer a name of its own"});
}

TEST(WrongModel, TwoInputsOfOneName) {
  Model m("m");
  m.Input("x", {kBatch, 3});
  m.Output("y", m.Input("x", {kBatch, 4}));
  ExpectParts(CompileError(m), {GRADUS_LINE_ABOVE, "error: input x is there already", "help: "});
}

TEST(WrongModel, TwoOutputsOfOneName) {
  Model m("m");
  const Tensor x = m.Input("x", {kBatch, 3});
  m.Output("y", x);
  m.Output("y", x * 2);
  ExpectParts(CompileError(m), {GRADUS_LINE_ABOVE, "error: output y is there already", "help: "});
}

TEST(WrongModel, ALayerSharedByInputsOfDifferentSizes) {
  Model m("m");
  Layer& shared = m.Add<Dense>("shared", 8);
  m.Output("a", shared(m.Input("x", {kBatch, 3})));
  m.Output("b", shared(m.Input("z", {kBatch, 4})));
  ExpectParts(CompileError(m), {GRADUS_LINE_ABOVE, "error: layer shared: parameter shared.kernel has shape [3, 8], "
                                "but this call needs [4, 8]", "help: ", "add a second layer"});
}

TEST(WrongModel, TensorsOfTwoModels) {
  Model one("one"), two("two");
  const Tensor x = one.Input("x", {kBatch, 3});
  const Tensor z = two.Input("z", {kBatch, 3});
  one.Output("y", x + z);
  ExpectParts(CompileError(one), {GRADUS_LINE_ABOVE, "error: add: the operands belong to different models or functions",
                                  "left:  x  (wrong_models_test.cpp:", "right: z  (wrong_models_test.cpp:", "help: "});
  two.Output("z", z);
  ExpectParts(CompileError(two), {"error: add: the operands belong to different"});
}

TEST(WrongModel, ALayerOfAnotherModel) {
  Model one("one"), two("two");
  Layer& layer = one.Add<Dense>("d", 3);
  two.Output("y", layer(two.Input("z", {kBatch, 3})));
  ExpectParts(CompileError(two), {GRADUS_LINE_ABOVE, "error: layer d belongs to model one", "help: "});
}

TEST(WrongModel, AnOutputOfAnotherModel) {
  Model one("one"), two("two");
  const Tensor x = one.Input("x", {kBatch, 3});
  two.Output("y", x);
  ExpectParts(CompileError(two), {GRADUS_LINE_ABOVE, "error: output y belongs to another model", "help: "});
}

TEST(WrongModel, ASizeBelowZero) {
  Model m("m");
  m.Output("y", m.Input("x", {kBatch, -3}));
  ExpectParts(CompileError(m), {GRADUS_LINE_ABOVE, "error: input x has the negative size -3", "help: "});
}

TEST(WrongModel, ALayerWithoutUnits) {
  Model m("m");
  m.Output("y", m.Add<Dense>("hidden", 0)(m.Input("x", {kBatch, 3})));
  ExpectParts(CompileError(m), {GRADUS_LINE_ABOVE, "error: layer hidden: has 0 units, expected at least 1"});
}

TEST(WrongModel, ADenseLayerOnAnOpenNumberOfFeatures) {
  Model m("m");
  m.Output("y", m.Add<Dense>("hidden", 4)(m.Input("x", {kBatch, kTime})));
  ExpectParts(CompileError(m), {GRADUS_LINE_ABOVE, "error: layer hidden: takes [..., features]", "got f32[B, T]", "help: "});
}

TEST(WrongModel, ANameThatIsNoIdentifier) {
  Model m("my model");
  m.Output("y", m.Input("x", {kBatch, 3}));
  ExpectParts(CompileError(m), {"error: model name \"my model\" is no identifier", "help: use letters, digits and underscores"});
  Model n("n");
  n.Output("y", n.Input("1st", {kBatch, 3}));
  ExpectParts(CompileError(n), {GRADUS_LINE_ABOVE, "error: input name \"1st\" is no identifier", "help: "});
}

TEST(WrongModel, AnAxisThatIsNotThere) {
  Model m("m");
  m.Output("y", reduce_sum(m.Input("x", {kBatch, 3}), {5}));
  ExpectParts(CompileError(m), {GRADUS_LINE_ABOVE, "error: reduce_sum: axis 5 is out of range for [B, 3] (2 axes)"});
}

TEST(WrongModel, AReshapeToAnotherNumberOfElements) {
  Model m("m");
  m.Output("y", reshape(m.Input("x", {kBatch, 12}), {kBatch, 5, 2}));
  ExpectParts(CompileError(m), {GRADUS_LINE_ABOVE, "error: reshape: ", "[B, 12]", "[B, 5, 2]"});
}

TEST(WrongModel, PartsThatDoNotJoin) {
  Model m("m");
  const Tensor a = m.Input("a", {kBatch, 3}), b = m.Input("b", {kTime, 3});
  m.Output("y", concat({a, b}, 1));
  ExpectParts(CompileError(m), {GRADUS_LINE_ABOVE, "error: concat: ", "[B, 3]", "[T, 3]"});
}

TEST(WrongModel, AParameterOfOpenSize) {
  Model m("m");
  m.Output("y", m.Parameter("w", {kTime, 3}, Zeros()) * m.Input("x", {kBatch, 1, 1}));
  ExpectParts(CompileError(m), {GRADUS_LINE_ABOVE, "error: parameter w has shape [T, 3], expected numbers only"});
}

TEST(WrongModel, AnUnknownInitialiser) {
  Model m("m");
  m.Output("y", m.Parameter("w", {3}, {"glorot", {}}) * m.Input("x", {kBatch, 3}));
  ExpectParts(CompileError(m), {"error: parameter w has the unknown initialiser glorot", "help: known are zeros, ones"});
}

TEST(WrongModel, ALossThatIsNoScalar) {
  Model m("m");
  m.Output("y", m.Add<Dense>("d", 2)(m.Input("x", {kBatch, 3})));
  const Loss::Function each = [](Operand target, Operand prediction) { return square(prediction - target); };
  ExpectParts(CompileError(m, {.loss = each}), {"error: ", "loss custom", "f32[B, 2]", "expected a scalar", "help: ", "reduce_mean"});
}

TEST(WrongModel, AClassLossOnOneColumn) {
  Model m("m");
  m.Output("y", reduce_sum(m.Input("x", {kBatch, 3})));
  ExpectParts(CompileError(m, {.loss = sparse_categorical_crossentropy}),
              {"error: ", "sparse_categorical_crossentropy", "output y", "f32[]", "help: "});
}

TEST(WrongGraph, TheGradientOfSomethingThatIsNoScalar) {
  Graph g("g");
  const Tensor x = g.Input("x", {kBatch, 3});
  const Tensor y = square(x);
  g.Output("dx", Grad(y, {x})[0]);
  ExpectParts(CompileError(g), {"wrong_models_test.cpp:", "f32[B, 3]", "expected a scalar", "help: reduce it first"});
}

TEST(WrongGraph, AGradientThroughAnOpWithoutOne) {
  Graph g("g");
  const Tensor x = g.Input("x", {kBatch, 3});
  const Tensor y = floor(x);
  const std::string where = GRADUS_LINE_ABOVE;
  g.Output("dx", Grad(reduce_sum(y), {x})[0]);
  ExpectParts(CompileError(g), {where, "error: floor is not differentiable", "f32[B, 3]", "help: ", "stop_gradient"});
}

TEST(WrongGraph, ASymbolThatNoArgumentHas) {
  Graph g("g");
  const Tensor x = g.Input("x", {kBatch, 3});
  const Tensor y = broadcast_to(reduce_sum(x), {kTime});
  const std::string where = At(kFile, __LINE__ - 1);
  g.Output("y", y);
  ExpectParts(CompileError(g), {where, "error: broadcast gives f32[T], but no input has the symbol T", "help: "});
}

TEST(WrongGraph, AnUnknownPipeline) {
  Graph g("g");
  g.Output("y", g.Input("x", {kBatch, 3}) * 2);
  ExpectParts(Compile(g, {.pipeline = "defualt"}).status(), {"no pass or pipeline 'defualt'", "help: there are ", "default"});
}

TEST(WrongGraph, ArgumentsOfTheWrongSizeOrType) {
  Graph g("g");
  const Tensor x = g.Input("x", {kBatch, 3});
  g.Output("y", x + g.Input("z", {kBatch, 3}));
  auto f = Compile(g);
  ASSERT_TRUE(f.ok()) << f.status();
  const auto run = [&](runtime::Tensor a, runtime::Tensor b) {
    std::vector<runtime::Tensor> in;
    in.push_back(std::move(a));
    in.push_back(std::move(b));
    return f->Run(std::move(in)).status();
  };
  const auto f32 = [](std::vector<int64_t> shape) { return runtime::Tensor::Zeros(runtime::DType::kF32, std::move(shape)).value(); };
  ExpectParts(run(f32({2, 4}), f32({2, 3})), {"argument 0", "x", "size 4 on axis 1", "expected 3"});
  ExpectParts(run(f32({2, 3}), f32({5, 3})), {"argument 1", "z", "size 5 on axis 0", "expected B = 2"});
  ExpectParts(run(f32({2, 3}), runtime::Tensor::Zeros(runtime::DType::kF64, {2, 3}).value()), {"argument 1", "f64", "expected f32"});
  std::vector<runtime::Tensor> one;
  one.push_back(f32({2, 3}));
  ExpectParts(f->Run(std::move(one)).status(), {"1 arguments, expected 2 (x, z)"});
}

}  // namespace
}  // namespace gradus
