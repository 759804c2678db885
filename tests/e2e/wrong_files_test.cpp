// Mistakes in data, in files and in IR text.

#include <fstream>

#include "frontend/data/csv.h"
#include "frontend/data/split.h"
#include "ir/parser.h"
#include "runtime/npy.h"
#include "tests/e2e/wrong_programs.h"

// A mistake and the note of its line stand on one line.
// clang-format off

namespace gradus {
namespace {

data::Dataset MakeDataset(std::vector<int64_t> x_shape, std::vector<int64_t> y_shape,
                          runtime::DType y_type = runtime::DType::kF32) {
  std::vector<data::NamedTensor> inputs, targets;
  inputs.push_back({"x", runtime::Tensor::Zeros(runtime::DType::kF32, std::move(x_shape)).value()});
  targets.push_back({"y", runtime::Tensor::Zeros(y_type, std::move(y_shape)).value()});
  return data::Dataset::Create(std::move(inputs), std::move(targets)).value();
}

Trainer& SmallTrainer() {
  static auto* trainer = [] {
    Model m("theft");
    m.Output("p", m.Add<Dense>("out", 1, sigmoid)(m.Input("x", {kBatch, 12})));
    return new Trainer(Compile(m, {.loss = binary_crossentropy}).value());
  }();
  return *trainer;
}

FitOptions Quiet() {
  FitOptions options;
  options.progress = ProgressMode::kOff;
  return options;
}

TEST(WrongData, AnotherNumberOfFeatures) {
  const data::Dataset data = MakeDataset({20, 11}, {20, 1});
  ExpectParts(SmallTrainer().Fit(data, Quiet()).status(),
              {"model theft", "input x", "takes f32[B, 12]", "\"x\"", "f32[20, 11]", "help: "});
  ExpectParts(SmallTrainer().Predict(data).status(), {"model theft", "input x", "takes f32[B, 12]", "f32[20, 11]"});
}

TEST(WrongData, TargetsOfAnotherShapeOrType) {
  ExpectParts(SmallTrainer().Fit(MakeDataset({20, 12}, {20, 2}), Quiet()).status(),
              {"model theft", "target", "takes f32[B, 1]", "\"y\"", "f32[20, 2]"});
  ExpectParts(SmallTrainer().Evaluate(MakeDataset({20, 12}, {20, 1}, runtime::DType::kI64)).status(),
              {"model theft", "target", "takes f32[B, 1]", "i64[20, 1]", "help: "});
}

TEST(WrongData, NoTargets) {
  std::vector<data::NamedTensor> inputs;
  inputs.push_back({"x", runtime::Tensor::Zeros(runtime::DType::kF32, {5, 12}).value()});
  const data::Dataset data = data::Dataset::Create(std::move(inputs), {}).value();
  ExpectParts(SmallTrainer().Fit(data, Quiet()).status(), {"model theft has 1 target", "the data has 0 (none)"});
  EXPECT_TRUE(SmallTrainer().Predict(data).ok());
}

TEST(WrongData, ABatchOfNothing) {
  FitOptions options = Quiet();
  options.batch_size = 0;
  ExpectParts(SmallTrainer().Fit(MakeDataset({5, 12}, {5, 1}), options).status(), {"fit", "batches of 0", "expected at least"});
}

TEST(WrongData, AnUnknownParameter) {
  const auto value = runtime::Tensor::Zeros(runtime::DType::kF32, {12, 1}).value();
  ExpectParts(SmallTrainer().SetParameter("out.kernal", value), {"there is no parameter out.kernal", "out.kernel"});
}

TEST(WrongCsv, ALineWithTooFewCells) {
  ExpectParts(data::ParseCsv("CUSTOMER,FLAG,Jan\nC1,0,5\nC2,1\n", {}, "meters.csv").status(),
              {"meters.csv:3: expected 3 cells as in line 1, got 2"});
}

TEST(WrongCsv, AQuoteThatIsNeverClosed) {
  ExpectParts(data::ParseCsv("A,B\n1,\"2\n3,4\n", {}, "meters.csv").status(),
              {"meters.csv:2: column 2", "never closed"});
}

TEST(WrongCsv, ACellThatIsNoNumber) {
  data::CsvOptions options;
  options.non_numeric = data::NonNumeric::kError;
  ExpectParts(data::ParseCsv("A,Mar\n1,2\n3,n/k\n", options, "meters.csv").status(),
              {"meters.csv:3: column 2 (Mar): expected a number, got \"n/k\"", "coerce"});
}

TEST(WrongCsv, AColumnThatIsNotThere) {
  const auto table = data::ParseCsv("CUSTOMER,FLAG\n1,2\n", {}, "meters.csv").value();
  ExpectParts(table.Numbers("FLAGS").status(), {"no column \"FLAGS\"", "CUSTOMER, FLAG"});
}

TEST(WrongCsv, AFileThatIsNotThere) {
  ExpectParts(data::ReadCsv("/nowhere/meters.csv", {}).status(), {"/nowhere/meters.csv", "No such file"});
}

TEST(WrongSplit, RowsThatAreNotThereOrInBothParts) {
  ExpectParts(data::SplitByRows({{0, 1, 360}, {2}}, 360).status(), {"train", "row 360 does not exist", "rows 0 to 359"});
  ExpectParts(data::SplitByRows({{0, 1, 2}, {2}}, 360).status(), {"row 2 is in both the training and the test part"});
  ExpectParts(data::SplitByRows({{0, 0}, {2}}, 360).status(), {"row 0 is given twice"});
}

std::string Npy(std::string header, size_t bytes) {
  header.resize(118, ' ');
  std::string text("\x93NUMPY\x01\x00", 8);
  text += static_cast<char>(header.size());
  text += '\0';
  return text + header + std::string(bytes, '\0');
}

TEST(WrongNpy, AFileThatEndsTooSoon) {
  ExpectParts(runtime::ParseNpy(Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", 40), "x.npy").status(),
              {"x.npy: truncated: 40 bytes follow the header", "[3, 4]", "take 48"});
}

TEST(WrongNpy, PythonObjects) {
  ExpectParts(runtime::ParseNpy(Npy("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", 24), "x.npy").status(),
              {"x.npy", "object"});
}

TEST(WrongNpy, NoNpyFile) {
  ExpectParts(runtime::ParseNpy("CUSTOMER,FLAG\n", "x.npy").status(), {"x.npy", "NUMPY"});
}

absl::Status ParseError(std::string_view body) {
  return ir::Parse("module @m\n" + std::string(body), "wrong.ir").status();
}

TEST(WrongText, AnUnknownOp) {
  ExpectParts(ParseError("func @f(%x: f32[B]) -> (f32[B]) {\n  %0 = tahn %x : f32[B]\n  return %0\n}\n"),
              {"wrong.ir:3:8: error: there is no op 'tahn'", "%0 = tahn %x", "^", "did you mean tanh?"});
}

TEST(WrongText, ATypeThatIsNotTheOps) {
  ExpectParts(ParseError("func @f(%x: f32[B]) -> (f32[B]) {\n  %0 = tanh %x : f32[4]\n  return %0\n}\n"),
              {"wrong.ir:3:", "error: ", "tanh", "f32[B]", "f32[4]"});
}

TEST(WrongText, AValueThatIsNotDefined) {
  ExpectParts(ParseError("func @f(%x: f32[B]) -> (f32[B]) {\n  %0 = tanh %y : f32[B]\n  return %0\n}\n"),
              {"wrong.ir:3:13: error: '%y' is not defined before this use", "tanh %y", "^"});
}

TEST(WrongText, SyntaxErrors) {
  ExpectParts(ParseError("func @f(%x: f32[B]) -> (f32[B]) {\n  %0 = tanh %x f32[B]\n  return %0\n}\n"),
              {"wrong.ir:3:16: error: expected", "f32", "^"});
  ExpectParts(ParseError("func @f(%x: f32[B) -> (f32[B]) {\n"), {"wrong.ir:2:", "error: expected"});
  ExpectParts(ParseError("func @f(%x: f33[B]) -> (f32[B]) {\n"), {"wrong.ir:2:13: error: ", "f33"});
  ExpectParts(ParseError("func @f(%x: f32[B]) -> (f32[B]) {\n"), {"wrong.ir:", "error: expected", "end"});
}

TEST(WrongText, AnUnknownAttribute) {
  ExpectParts(ParseError("func @f(%x: f32[B]) -> (f32[]) {\n  %0 = reduce_sum %x {axis = [0]} : f32[]\n  return %0\n}\n"),
              {"wrong.ir:3:", "error: reduce_sum: there is no attribute 'axis'", "reduce_sum has axes"});
}

TEST(WrongText, OperandsThatDoNotLineUp) {
  ExpectParts(ParseError("func @f(%x: f32[B], %y: f32[C]) -> (f32[B]) {\n  %0 = add %x, %y : f32[B]\n  return %0\n}\n"),
              {"wrong.ir:3:", "error: add: [B] and [C] do not line up", "left:", "%x", "right:", "%y"});
}

}  // namespace
}  // namespace gradus
